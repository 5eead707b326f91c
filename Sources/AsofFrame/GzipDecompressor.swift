import CZlib

/// One inflate stream, used again and again. For one thread at a time.
final class GzipDecompressor {
    // On the heap: zlib remembers where its stream lies.
    private var stream: UnsafeMutablePointer<z_stream>?

    deinit {
        guard let stream else { return }
        inflateEnd(stream)
        stream.deallocate()
    }

    /// Fills `target` exactly from one gzip member that is the whole of `body`.
    func decompress(_ body: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) throws(FrameError) {
        let stream = try prepared()
        // Frames are at most 16 MiB: both counts fit in 32 bits. zlib does not write to its input.
        stream.pointee.next_in = UnsafeMutablePointer(mutating: body.assumingMemoryBound(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = UInt32(clamping: body.count)
        stream.pointee.next_out = target.assumingMemoryBound(to: UInt8.self).baseAddress
        stream.pointee.avail_out = UInt32(clamping: target.count)
        switch inflate(stream, Z_FINISH) {
        case Z_STREAM_END: break
        // The target is full, or the body at its end, before the member is.
        case Z_OK, Z_BUF_ERROR: throw .lengthMismatch
        case Z_MEM_ERROR: throw .libraryFailure("gzip: out of memory")
        case let code:
            throw .decompressionFailed("gzip: " + (stream.pointee.msg.map { String(cString: $0) } ?? "error \(code)"))
        }
        guard stream.pointee.avail_out == 0 else { throw .lengthMismatch }
        guard stream.pointee.avail_in == 0 else { throw .decompressionFailed("gzip: not exactly one member") }
    }

    private func prepared() throws(FrameError) -> UnsafeMutablePointer<z_stream> {
        if let stream {
            guard inflateReset(stream) == Z_OK else { throw .libraryFailure("gzip: broken stream") }
            return stream
        }
        let created = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        created.initialize(to: z_stream())
        let code = asof_inflate_init(created)
        guard code == Z_OK else {
            created.deallocate()
            throw .libraryFailure(code == Z_MEM_ERROR ? "gzip: out of memory" : "gzip: error \(code)")
        }
        stream = created
        return created
    }
}
