internal import AsofCore
internal import CLinux
internal import Glibc

extension StopWay {
    /// Which way to take, and why not the better ones.
    package struct Choice: Hashable, Sendable {
        /// Nil where no way is possible.
        package var way: StopWay?
        /// For each way better than `way`, the best first: why it cannot be used.
        package var obstacles: [Obstacle]
    }

    package struct Obstacle: Hashable, Sendable {
        package var way: StopWay
        /// Without a full stop.
        package var reason: String
    }

    /// The best way that is possible for these processes. Stops nothing.
    package static func best(for processes: [ProcessHandle]) -> Choice {
        var obstacles: [Obstacle] = []
        for way in allCases {
            var reason = way.obstacle(for: processes)
            if reason == nil, way == .cgroup, !StopWatchdog.canLiveElsewhere {
                reason = "the watchdog cannot leave our own cgroup: whoever kills that inside a stop would leave the server frozen"
            }
            guard let reason else { return Choice(way: way, obstacles: obstacles) }
            obstacles.append(Obstacle(way: way, reason: reason))
        }
        return Choice(way: nil, obstacles: obstacles)
    }

    /// Why this way is not possible for these processes; nil: it is.
    package func obstacle(for processes: [ProcessHandle]) -> String? {
        switch self {
        case .cgroup:
            do throws(StopObstacle) {
                _ = try FreezerCgroup(of: processes)
                return nil
            } catch {
                return error.reason
            }
        case .ptrace:
            // Each is asked once: a lazy sequence asks again for what it has found, and the answer may be another one by then.
            for process in processes { if let reason = PtracePermission.obstacle(for: process) { return reason } }
            return nil
        case .signal:
            for process in processes {
                if process.pid == 1 { return "process 1 ignores SIGSTOP from inside its namespace" }
                do throws(Errno) {
                    try process.send(0)
                } catch {
                    return "a signal to process \(process.pid) is refused: \(error.text)"
                }
            }
            return nil
        }
    }

    /// A stopper of this way. `executable`: whose `main` calls `StopWatchdog.runIfAsked`. `note`: a file that tells the next start what is
    /// stopped, for `StopNote.release`.
    package func stopper(
        for processes: [ProcessHandle], longestHold: Duration = .milliseconds(700), executable: String = "/proc/self/exe", note: String? = nil
    ) throws(StopFailure) -> any ProcessStopper {
        switch self {
        case .cgroup: try CgroupStopper(processes, longestHold: longestHold, executable: executable, note: note)
        case .ptrace: try PtraceStopper(processes, longestHold: longestHold, executable: executable)
        case .signal: try SignalStopper(processes, longestHold: longestHold, executable: executable, note: note)
        }
    }
}
