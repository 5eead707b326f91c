import CZlib

/// One deflate stream, used again and again. For one thread at a time.
final class GzipCompressor {
    private let level: Int
    // On the heap: zlib remembers where its stream lies.
    private var stream: UnsafeMutablePointer<z_stream>?

    init(level: Int) { self.level = level }
    deinit {
        guard let stream else { return }
        deflateEnd(stream)
        stream.deallocate()
    }

    /// Bytes written to `target`, or nil where they would not fit.
    func compress(_ plain: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) throws(FrameError) -> Int? {
        let stream = try prepared()
        // Frames are at most 16 MiB: both counts fit in 32 bits. zlib does not write to its input.
        stream.pointee.next_in = UnsafeMutablePointer(mutating: plain.assumingMemoryBound(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = UInt32(clamping: plain.count)
        stream.pointee.next_out = target.assumingMemoryBound(to: UInt8.self).baseAddress
        stream.pointee.avail_out = UInt32(clamping: target.count)
        switch deflate(stream, Z_FINISH) {
        case Z_STREAM_END: return target.count - Int(stream.pointee.avail_out)
        case Z_OK, Z_BUF_ERROR: return nil
        case let code: throw .libraryFailure("gzip: error \(code)")
        }
    }

    private func prepared() throws(FrameError) -> UnsafeMutablePointer<z_stream> {
        if let stream {
            guard deflateReset(stream) == Z_OK else { throw .libraryFailure("gzip: broken stream") }
            return stream
        }
        let created = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        created.initialize(to: z_stream())
        let code = asof_deflate_init(created, Int32(level))
        guard code == Z_OK else {
            created.deallocate()
            throw .libraryFailure(code == Z_MEM_ERROR ? "gzip: out of memory" : "gzip: error \(code)")
        }
        stream = created
        return created
    }
}
