internal import AsofCore
internal import CLinux
internal import Glibc

/// Stops by the freezer of the processes' cgroup (v2): one write, no look at single threads, invisible to the process and its
/// parent. Needs a watchdog.
///
/// What it cannot promise:
/// - It freezes the whole cgroup and every cgroup below, whoever lives there.
/// - A thread in an uninterruptible call holds up the stop until that call ends, an `fsync` too: the kernel calls nothing frozen
///   before. `StopReport.blocked` is always 0.
/// - A process that is moved to another cgroup in the middle of a stop goes on.
/// - Somebody else who freezes the same cgroup inside our stop is undone when we let go.
/// - If we and the watchdog are killed at once inside a stop, the cgroup stays frozen.
package final class CgroupStopper: ProcessStopper {
    package let way = StopWay.cgroup
    private let targets: StopTargets
    private let cgroup: FreezerCgroup
    private let guarded: GuardedStop

    /// - Parameter executable: whose `main` calls `StopWatchdog.runIfAsked`.
    package init(
        _ processes: [ProcessHandle], longestHold: Duration = .milliseconds(700), executable: String = "/proc/self/exe", note: String? = nil
    ) throws(StopFailure) {
        targets = try StopTargets(processes)
        let cgroup: FreezerCgroup
        do throws(StopObstacle) {
            cgroup = try FreezerCgroup(of: processes)
        } catch {
            throw .notAllowed(Errno(EOPNOTSUPP))
        }
        self.cgroup = cgroup
        guarded = try GuardedStop(.cgroup(cgroup.freeze.unmanaged), executable: executable, longestHold: longestHold,
            note: note.flatMap { path in processes.first.flatMap { try? StopNote(path: path, cgroup: cgroup.directory, member: $0) } }) {
            asof_stop_cgroup_release(cgroup.freeze.unmanaged)
        }
    }

    /// For messages and tests.
    package var watchdogPid: Int32? { guarded.watchdogPid }

    package func prepare() { _ = asof_stop_prepare_thread() }

    package func stop(within cap: Duration) throws(StopFailure) -> StopReport {
        // Before the stop: whoever has been moved elsewhere would run on.
        for handle in targets.handles where FreezerCgroup.path(of: handle.pid) != cgroup.path {
            throw handle.isAlive ? .notAllowed(Errno(EXDEV)) : .exited(pid: handle.pid)
        }
        let outcome = try guarded.stop(within: cap) {
            var result = asof_stop_result()
            let code = asof_stop_cgroup(
                cgroup.freeze.unmanaged, cgroup.events.unmanaged, targets.processes, targets.count, cap.stopNanoseconds, &result)
            return StopOutcome(code, result)
        }
        switch outcome {
        case .stopped(let report): return report
        case .full: throw .system(Errno(EOVERFLOW))
        case .failed(let failure): throw failure
        }
    }

    package func resume() throws(StopFailure) { try guarded.resume() }
}
