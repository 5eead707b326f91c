import CZstd

/// One zstd decompression context, used again and again. For one thread at a time.
final class ZstdDecompressor {
    private var context: OpaquePointer?

    deinit { ZSTD_freeDCtx(context) }

    /// Fills `target` exactly. Takes one zstd frame with its content's size in it, and nothing else: no skippable or legacy
    /// frames, no second frame, no window that a frame of ours could not need.
    func decompress(_ body: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) throws(FrameError) {
        try checkHeader(body)
        guard ZSTD_getFrameContentSize(body.baseAddress, body.count) == UInt64(target.count) else { throw .lengthMismatch }
        guard ZSTD_findFrameCompressedSize(body.baseAddress, body.count) == body.count else {
            throw .decompressionFailed("zstd: not exactly one frame")
        }
        let context = try prepared()
        let count = ZSTD_decompressDCtx(context, target.baseAddress, target.count, body.baseAddress, body.count)
        guard ZSTD_isError(count) == 0 else {
            if ZSTD_getErrorCode(count) == ZSTD_error_memory_allocation { throw .libraryFailure("zstd: out of memory") }
            throw .decompressionFailed("zstd: \(String(cString: ZSTD_getErrorName(count)))")
        }
        guard count == target.count else { throw .lengthMismatch }
    }

    /// RFC 8878, 3.1.1: magic, then a descriptor whose bit 5 says that the content is its own window; else a window byte follows.
    /// Decoding in one pass ignores both the window and `ZSTD_d_windowLogMax`, so the window is judged here.
    private func checkHeader(_ body: UnsafeRawBufferPointer) throws(FrameError) {
        guard body.count >= 6, body.littleEndian32(at: 0) == 0xFD2F_B528 else { throw .decompressionFailed("zstd: no magic") }
        guard body[4] & 0x20 == 0 else { return }
        let base = UInt64(1) << (10 + UInt64(body[5] >> 3))
        let window = base + base / 8 * UInt64(body[5] & 7)
        guard window <= 1 << UInt64(FrameLimits.windowLogMax) else {
            throw .decompressionFailed("zstd: window of \(window) bytes")
        }
    }

    private func prepared() throws(FrameError) -> OpaquePointer {
        if let context { return context }
        guard let created = ZSTD_createDCtx() else { throw .libraryFailure("zstd: out of memory") }
        let result = ZSTD_DCtx_setParameter(created, ZSTD_d_windowLogMax, FrameLimits.windowLogMax)
        guard ZSTD_isError(result) == 0 else {
            ZSTD_freeDCtx(created)
            throw .libraryFailure("zstd window limit: \(String(cString: ZSTD_getErrorName(result)))")
        }
        context = created
        return created
    }
}
