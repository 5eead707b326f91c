package import AsofCore
internal import Glibc

/// Takes signals by waiting for them instead of by a handler.
///
/// Make it in `main` before any thread exists: threads inherit the mask of their maker, and a signal that one thread leaves
/// unblocked is delivered there and ends the process.
package final class SignalWaiter: @unchecked Sendable {
    // Invariant behind @unchecked Sendable: the set is written by init only.
    private let signals: UnsafeMutablePointer<sigset_t>

    /// Blocks `signals` in the calling thread, and so in every thread it starts from now on.
    package init(blocking signals: [Int32]) throws(Errno) {
        self.signals = .allocate(capacity: 1)
        self.signals.initialize(to: sigset_t())
        sigemptyset(self.signals)
        for signal in signals { sigaddset(self.signals, signal) }
        let code = pthread_sigmask(SIG_BLOCK, self.signals, nil)
        guard code == 0 else { throw Errno(code) }
    }

    deinit { signals.deallocate() }

    /// From now on the calling thread leaves them to what they do by themselves: they end the process.
    package func release() { pthread_sigmask(SIG_UNBLOCK, signals, nil) }

    /// The next of the signals; nil when `timeout` passes first (nil: waits for ever).
    package func wait(timeout: Duration? = nil) throws(Errno) -> Int32? {
        guard let timeout else { return try SystemCall.checked { sigwaitinfo(signals, nil) } }
        let (seconds, attoseconds) = min(max(timeout, .zero), .seconds(1_000_000_000)).components
        var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
        do throws(Errno) {
            return try SystemCall.checked { sigtimedwait(signals, nil, &time) }
        } catch {
            if error.rawValue == EAGAIN { return nil }
            throw error
        }
    }

    /// A signal, and whether a process sent it. What the terminal sends (^C) goes to every process of its foreground group, and need not
    /// be handed on.
    package struct Received: Sendable {
        package var signal: Int32
        package var isFromProcess: Bool
    }

    /// The next of the signals, and who sent it; nil when `timeout` passes first (nil: waits for ever).
    package func receive(timeout: Duration? = nil) throws(Errno) -> Received? {
        let (seconds, attoseconds) = min(max(timeout ?? .seconds(1_000_000), .zero), .seconds(1_000_000)).components
        var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
        var information = siginfo_t()
        do throws(Errno) {
            let signal = try SystemCall.checked { sigtimedwait(signals, &information, &time) }
            return Received(signal: signal, isFromProcess: information.si_code <= 0)
        } catch {
            if error.rawValue == EAGAIN { return nil }
            throw error
        }
    }

    /// True when one of the signals that end a command is blocked, and waits to be taken. It is not taken by this.
    package static func isEndPending() -> Bool {
        var pending = sigset_t()
        guard sigpending(&pending) == 0 else { return false }
        return [SIGINT, SIGTERM, SIGHUP].contains { sigismember(&pending, $0) == 1 }
    }

    /// Lets a write that cannot be fail, instead of ending the process: EPIPE where a pipe's or socket's reader is gone, EFBIG beyond `ulimit -f`.
    package static func ignoreFailedWrites() { for number in failedWrites { signal(number, SIG_IGN) } }

    /// As it was: for a program that takes this one's place.
    package static func heedFailedWrites() { for number in failedWrites { signal(number, SIG_DFL) } }

    private static let failedWrites = [SIGPIPE, SIGXFSZ]
}
