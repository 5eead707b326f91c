internal import AsofCore
internal import CLinux
internal import Glibc

/// Stops by ptrace: SEIZE and INTERRUPT every thread, DETACH to let go. Needs no watchdog, since the kernel detaches when the
/// tracing thread ends, however it ends. Nothing is attached between stops.
///
/// One thread of our own is the tracer, because the kernel binds attaching, waiting and detaching to the thread that did the
/// first. Where some thread of the process has not stopped when we let go (it sits in an uninterruptible call), the tracer ends:
/// the kernel then takes back the interrupt, so that the thread never stops at all. A new tracer takes over.
///
/// Signals that arrive during a stop stay pending, or are delivered as we let go: none is lost. Job control of others is respected.
///
/// Our own process gets a SIGCHLD for each thread that stops (ignored by default), and nothing in it may wait for just any child.
///
/// What it cannot promise:
/// - Where the follower itself is stopped inside a stop (SIGSTOP, a freezer), the watchdog wakes it or, in vain, kills it; where it is frozen
///   together with its watchdog nobody lets the process go.
/// - A process that is traced already (a debugger, some sandboxes) cannot be stopped; nor can we while others are tracing it.
/// - A file that a thread in an uninterruptible `write` is changing holds up the stop until that call has ended.
package final class PtraceStopper: ProcessStopper {
    package let way = StopWay.ptrace
    package let longestHold: Duration
    private let targets: StopTargets
    private let table: StopTable
    /// Nil when there is none at the moment.
    private var tracer: Tracer?
    private var isPrepared = false
    private var isStopped = false
    private var lastThreads = 0

    /// Wakes us when we are stopped inside a stop; nil: nobody does.
    private let watchdog = Lock<StopWatchdog?>(nil)
    private let executable: String?
    /// Of ourselves, for the watchdog.
    private let own: ProcessHandle?

    /// - Parameter executable: whose `main` calls `StopWatchdog.runIfAsked`; nil: without a watchdog.
    package init(_ processes: [ProcessHandle], longestHold: Duration = .milliseconds(700), executable: String? = nil) throws(StopFailure) {
        let own = try? ProcessHandle(pid: getpid())
        self.own = own
        // Without one a stop is as safe as before, but for this.
        self.executable = executable
        targets = try StopTargets(processes)
        table = try StopTable(for: targets)
        self.longestHold = longestHold
    }

    deinit { if let tracer { tracer.end() } }

    package func prepare() {
        isPrepared = true
        _ = asof_stop_prepare_thread()
        if let tracer {
            tracer.end()
            self.tracer = nil
        }
        // Where it fails now, the stop tries again and says so.
        _ = try? runningTracer()
    }

    package func stop(within cap: Duration) throws(StopFailure) -> StopReport {
        guard !isStopped else { throw .busy }
        // A little later than the tracer's own alarm.
        arm(hold: cap + longestHold + .milliseconds(100))
        defer { if !isStopped { disarm() } }
        while true {
            let tracer = try runningTracer()
            let (outcome, left) = tracer.stop(cap.stopNanoseconds)
            if left > 0 { replace(tracer) }
            switch outcome {
            case .stopped(let report):
                isStopped = true
                lastThreads = report.threads
                return report
            case .full: try table.grow()
            case .failed(let failure): throw failure
            }
        }
    }

    package func resume() throws(StopFailure) {
        guard isStopped, let tracer else { return }
        isStopped = false
        let (left, early) = tracer.release()
        disarm()
        if left > 0 { replace(tracer) }
        table.makeRoom(for: lastThreads)
        if early { throw .letGo }
    }

    /// A watchdog that has died, or is stopped itself, is replaced. Where there can be none, a stop is as safe as before, but for a follower that is stopped itself.
    private func arm(hold: Duration) {
        guard let executable, let own else { return }
        watchdog.withLock { watchdog in
            if let known = watchdog, (try? known.arm(hold: hold)) != nil { return }
            watchdog?.kill()
            watchdog = try? StopWatchdog(.tracer(own.unmanaged), executable: executable)
            try? watchdog?.arm(hold: hold)
        }
    }

    private func disarm() { watchdog.withLock { _ = $0?.disarm() } }

    private func runningTracer() throws(StopFailure) -> Tracer {
        if let tracer { return tracer }
        do throws(Errno) {
            let tracer = try Tracer(targets, table, longestHold: longestHold, isPrepared: isPrepared) { [watchdog] in
                // It has let go by itself: there is nothing to wake anybody for.
                watchdog.withLock { _ = $0?.disarm() }
            }
            self.tracer = tracer
            return tracer
        } catch {
            throw .system(error)
        }
    }

    /// Ends a tracer that could not detach from everything, and starts the next one off the path of a stop.
    private func replace(_ tracer: Tracer) {
        tracer.end()
        self.tracer = nil
        _ = try? runningTracer()
    }
}
