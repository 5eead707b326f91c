internal import AsofCore
internal import CLinux
internal import Glibc

/// Stops by SIGSTOP, lets go by SIGCONT: needs no right but to send signals, and a watchdog.
///
/// What it cannot promise:
/// - Others see it: the parent gets SIGCHLD (a shell or a supervisor may react), and the process itself gets SIGCONT, which a
///   handler of its own would run for.
/// - SIGSTOP from somebody else inside our stop is undone by our SIGCONT, and their SIGCONT undoes our stop unseen.
/// - The first process of a pid namespace ignores SIGSTOP from inside that namespace.
/// - Where the thread that should take the signal sits in an uninterruptible call, the others run on until it returns.
/// - If we and the watchdog are killed at once inside a stop, the process stays stopped.
package final class SignalStopper: ProcessStopper {
    package let way = StopWay.signal
    private let targets: StopTargets
    private let table: StopTable
    private let guarded: GuardedStop
    private var lastThreads = 0

    /// - Parameter executable: whose `main` calls `StopWatchdog.runIfAsked`.
    package init(
        _ processes: [ProcessHandle], longestHold: Duration = .milliseconds(700), executable: String = "/proc/self/exe", note: String? = nil
    ) throws(StopFailure) {
        let targets = try StopTargets(processes)
        self.targets = targets
        table = try StopTable(for: targets)
        guarded = try GuardedStop(.signals(processes.map(\.unmanaged)), executable: executable, longestHold: longestHold,
            note: note.flatMap { try? StopNote(path: $0, signals: processes) }) {
            asof_stop_signal_release(targets.processes, targets.count)
        }
    }

    /// For messages and tests.
    package var watchdogPid: Int32? { guarded.watchdogPid }

    package func prepare() { _ = asof_stop_prepare_thread() }

    package func stop(within cap: Duration) throws(StopFailure) -> StopReport {
        while true {
            let outcome = try guarded.stop(within: cap) {
                var result = asof_stop_result()
                let code = asof_stop_signal(table.pointer, targets.processes, targets.count, cap.stopNanoseconds, &result)
                return StopOutcome(code, result)
            }
            switch outcome {
            case .stopped(let report):
                lastThreads = report.threads
                return report
            case .full: try table.grow()
            case .failed(let failure): throw failure
            }
        }
    }

    package func resume() throws(StopFailure) {
        defer { table.makeRoom(for: lastThreads) }
        try guarded.resume()
    }
}
