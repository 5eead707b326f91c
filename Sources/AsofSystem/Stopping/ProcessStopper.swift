/// A way to make processes stand still for about a millisecond, all of their threads, and to let them go on.
///
/// One stop at a time, and every call from one thread: a stopper has no lock. A process that has ended makes every later stop
/// fail with `exited`. Every way lets go by itself when the follower dies, and when a stop is held longer than `longestHold` (the two
/// with a watchdog count from the call of `stop` and add its cap).
///
/// What no way can promise:
/// - Input and output that the kernel does on its own goes on: io_uring, asynchronous I/O, DMA into pages that were handed over.
/// - A child between `vfork` and `exec` shares the memory and runs on, while its parent counts as stopped.
/// - Memory shared with a process that is not among the stopped ones.
/// - A stop is not quite invisible: `epoll_wait`, `semop`, `sigtimedwait` and a few others may return EINTR after it, without any
///   handler (signal(7), last section).
package protocol ProcessStopper: AnyObject {
    var way: StopWay { get }

    /// Makes the calling thread, and what the way needs, fit for short stops: memory locked, priority raised. Best effort; call it
    /// once, on the thread that stops.
    func prepare()

    /// Stops every thread of every process, or fails after `cap` at the latest (and the little it takes to look) with all of them
    /// running again. Allocates nothing between the first thread's stop and its return. Where more threads have come than there
    /// was room for, all of them go on, room is made, and it tries again with the whole cap.
    func stop(within cap: Duration) throws(StopFailure) -> StopReport

    /// Lets them go on. Does nothing when nothing is stopped. Throws `letGo` when the stop had ended before, `system` when the
    /// kernel refused: then calling again tries again, and the watchdog still will.
    func resume() throws(StopFailure)
}

/// Ways to stop, the best first.
package enum StopWay: String, Hashable, Sendable, CaseIterable {
    /// The freezer of the process's cgroup (v2).
    case cgroup
    case ptrace
    /// SIGSTOP and SIGCONT.
    case signal
}
