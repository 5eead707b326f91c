import CZstd

/// One zstd compression context, used again and again. For one thread at a time.
final class ZstdCompressor {
    private let level: Int
    private var context: OpaquePointer?

    init(level: Int) { self.level = level }
    deinit { ZSTD_freeCCtx(context) }

    /// Bytes written to `target`, or nil where they would not fit. The zstd frame carries its content's size and no checksum.
    func compress(_ plain: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) throws(FrameError) -> Int? {
        let context = try prepared()
        let count = ZSTD_compress2(context, target.baseAddress, target.count, plain.baseAddress, plain.count)
        guard ZSTD_isError(count) == 0 else {
            if ZSTD_getErrorCode(count) == ZSTD_error_dstSize_tooSmall { return nil }
            throw .libraryFailure("zstd: \(String(cString: ZSTD_getErrorName(count)))")
        }
        return count
    }

    private func prepared() throws(FrameError) -> OpaquePointer {
        if let context { return context }
        guard let created = ZSTD_createCCtx() else { throw .libraryFailure("zstd: out of memory") }
        let result = ZSTD_CCtx_setParameter(created, ZSTD_c_compressionLevel, Int32(level))
        guard ZSTD_isError(result) == 0 else {
            ZSTD_freeCCtx(created)
            throw .libraryFailure("zstd level \(level): \(String(cString: ZSTD_getErrorName(result)))")
        }
        context = created
        return created
    }
}
