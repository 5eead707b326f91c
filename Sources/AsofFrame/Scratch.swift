import Glibc

/// Memory for intermediate bytes that grows and is used again. For one thread at a time.
final class Scratch {
    private var start: UnsafeMutableRawPointer?
    private var capacity = 0

    deinit { free(start) }

    /// At least `count` bytes; what was in them before is lost. Valid until the next call.
    func bytes(_ count: Int) throws(FrameError) -> UnsafeMutableRawBufferPointer {
        if count > capacity || start == nil {
            free(start)
            capacity = 0
            start = malloc(max(count, 4096))
            guard start != nil else { throw .libraryFailure("out of memory for a frame of \(count) bytes") }
            capacity = max(count, 4096)
        }
        return UnsafeMutableRawBufferPointer(start: start, count: count)
    }
}
