internal import AsofSystem
internal import CFuse3
internal import Glibc

/// What libfuse has to say: kept while a mount is being made (it becomes part of the error), else written to standard error.
enum FuseLog {
    private struct State {
        var isCapturing = false
        var messages: [String] = []
    }

    private static let state = Lock(State())
    /// One mount at a time, so that messages reach the right error.
    private static let mounting = Lock(())

    /// Runs `body`, and gives what libfuse said meanwhile, joined by "; ".
    static func capturing<R>(_ body: () -> R) -> (R, String) {
        mounting.withLock { _ in
            state.withLock { $0 = State(isCapturing: true) }
            fuse_set_log_func(takeMessage)
            let result = body()
            let said = state.withLock { value in
                defer { value = State() }
                return value.messages.joined(separator: "; ")
            }
            return (result, said)
        }
    }

    static func take(_ message: String) {
        let isKept = state.withLock { value in
            if value.isCapturing, value.messages.count < 16 { value.messages.append(message) }
            return value.isCapturing
        }
        if !isKept { try? SystemCall.writeFully(STDERR_FILENO, Array((message + "\n").utf8)) }
    }
}

private nonisolated func takeMessage(_ level: fuse_log_level, _ format: UnsafePointer<CChar>?, _ values: CVaListPointer?) {
    guard let format, let values else { return }
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { buffer in
        guard let base = buffer.baseAddress, vsnprintf(base, buffer.count, format, values) >= 0 else { return }
        var text = String(cString: base)
        while text.last == "\n" { text.removeLast() }
        if text.hasPrefix("fuse: ") { text.removeFirst(6) }
        FuseLog.take(text)
    }
}
