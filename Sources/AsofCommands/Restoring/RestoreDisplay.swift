internal import AsofCommandLine
internal import AsofSystem
internal import AsofView
internal import Glibc

/// Says how far a restore is: on a terminal a line that is always there, else a line every ten seconds.
final class RestoreDisplay: Sendable {
    private struct State {
        var expected: UInt64 = 0
        var lastSaid: UInt64
        var isShown = false
        var hasEnded = false
    }

    private let state = Lock(State(lastSaid: SystemClock.monotonicNanoseconds()))
    private let began = SystemClock.monotonicNanoseconds()
    private let isQuiet: Bool

    init(isQuiet: Bool) { self.isQuiet = isQuiet }

    /// Bytes of files that this run has to write.
    func expect(_ bytes: UInt64) { state.withLock { $0.expected = bytes } }

    func update(_ progress: RestoreProgress) {
        guard !isQuiet else { return }
        state.withLock { state in
            let now = SystemClock.monotonicNanoseconds()
            guard !state.hasEnded, now - state.lastSaid >= (Console.isTerminal ? 500_000_000 : 10_000_000_000) else { return }
            state.lastSaid = now
            let text = text(progress, state.expected, now)
            if Console.isTerminal {
                try? SystemCall.writeFully(STDERR_FILENO, Array("\r\u{1B}[K\(text)".utf8))
                state.isShown = true
            } else {
                Console.note(text)
            }
        }
    }

    private func text(_ progress: RestoreProgress, _ expected: UInt64, _ now: UInt64) -> String {
        guard expected > 0 else { return "looks at what is to be restored" }
        let rate = Double(progress.bytes) / max(0.001, Double(now - began) / 1e9)
        let left = rate > 0 && expected > progress.bytes ? ", \(HumanFormat.duration(nanoseconds: Int64(min(1e15, Double(expected - progress.bytes) / rate * 1e9)))) left" : ""
        return "\(HumanFormat.bytes(progress.bytes)) of \(HumanFormat.bytes(expected)), \(HumanFormat.count(progress.files)) files, \(HumanFormat.bytes(UInt64(rate)))/s\(left)"
    }

    /// Nothing more is said.
    func end() {
        state.withLock { state in
            if state.isShown { try? SystemCall.writeFully(STDERR_FILENO, Array("\r\u{1B}[K".utf8)) }
            state.isShown = false
            state.hasEnded = true
        }
    }
}
