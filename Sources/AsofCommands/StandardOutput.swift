internal import AsofCore
internal import AsofSystem
internal import Glibc

/// Standard output, and what became of it: what cannot be written there is lost to whoever asked for it, and that is no success.
enum StandardOutput {
    private struct State {
        /// Why the first write that failed did.
        var failure: Errno?
        var isToldOf = false
        var isByTheWay = false
    }

    private static let state = Lock(State())

    /// From now on what is written is by the way: the command's work is another, and goes on without it. A failure is told at once,
    /// since the command's end may be far.
    static func isByTheWay() { state.withLock { $0.isByTheWay = true } }

    /// Writes, and remembers a failure for the command's end.
    static func write(_ bytes: [UInt8]) {
        // A reader that is gone does not come back; a disk that was full may have room again.
        guard state.withLock({ $0.failure?.rawValue != EPIPE }) else { return }
        do throws(Errno) { try SystemCall.writeFully(STDOUT_FILENO, bytes) } catch {
            let isToBeTold = state.withLock { state in
                guard state.failure == nil else { return false }
                state.failure = error
                state.isToldOf = state.isByTheWay
                return state.isByTheWay
            }
            if isToBeTold { Console.note(message(error)) }
        }
    }

    /// For commands that have much to say: ends them where nobody hears it.
    static func check() throws(AsofError) {
        guard let failure = state.withLock({ $0.isByTheWay ? nil : $0.failure }) else { return }
        state.withLock { $0.isToldOf = true }
        throw AsofError(failure.rawValue == EPIPE ? .outputClosed : .failure, message(failure))
    }

    /// What the process ends with whose command ended with `code`. Says what was lost, where that was not said yet.
    static func code(endingWith code: Int32, asJSON: Bool) -> Int32 {
        let end = state.withLock { $0 }
        guard let failure = end.failure else { return code }
        if failure.rawValue == EPIPE {
            return code == 0 && !end.isByTheWay ? AsofError.Code.outputClosed.rawValue : code
        }
        if !end.isToldOf { Console.error(AsofError(.failure, message(failure)), asJSON: asJSON) }
        return code == 0 ? AsofError.Code.failure.rawValue : code
    }

    private static func message(_ failure: Errno) -> String { "standard output cannot be written: \(failure.text)" }
}
