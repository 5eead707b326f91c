package import AsofCore

/// A stop that was reached.
package struct StopReport: Hashable, Sendable {
    /// When the last thread had stopped, by the wall clock. Nothing of the process ran between then and `resume`.
    package var stoppedAt: Instant
    /// From the call of `stop` until then.
    package var took: Duration
    package var threads: Int
    /// Of those: threads in an uninterruptible call that changes no file (`fsync`, a read, a page fault), which meet the stop
    /// before their next instruction.
    package var blocked: Int

    package init(stoppedAt: Instant, took: Duration, threads: Int, blocked: Int) {
        self.stoppedAt = stoppedAt
        self.took = took
        self.threads = threads
        self.blocked = blocked
    }
}

/// Why there was no stop, or why it did not hold.
package enum StopFailure: Error, Hashable, Sendable {
    /// Somebody else has stopped (or frozen) this process. It has been left as it was.
    case alreadyStopped(pid: Int32)
    /// The process has ended.
    case exited(pid: Int32)
    /// The cap passed before every thread had stopped. All of them run again.
    case timedOut
    /// The kernel does not allow it.
    case notAllowed(Errno)
    /// What was held too long has been let go before `resume`: what was read meanwhile may be of several moments.
    case letGo
    /// The watchdog has died and cannot be started again. Nothing was stopped, and nothing may be.
    case noWatchdog(Errno)
    /// `stop` while stopped.
    case busy
    case system(Errno)
}

extension StopFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .alreadyStopped(let pid): "process \(pid) is stopped by somebody else"
        case .exited(let pid): "process \(pid) has ended"
        case .timedOut: "not all of its threads stopped in time"
        case .notAllowed(let error): "the kernel does not allow it: \(error.text)"
        case .letGo: "it was let go before the end, for it was held too long"
        case .noWatchdog(let error): "its watchdog cannot be started: \(error.text)"
        case .busy: "it is stopped already"
        case .system(let error): error.text
        }
    }
}
