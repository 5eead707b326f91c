internal import AsofCore
internal import CLinux
internal import Glibc

/// What the two ways share whose stops outlive us: the watchdog around each stop, and the order of things.
///
/// Before a stop the watchdog is armed; after letting go it is disarmed. In that order nothing is ever stopped that nobody watches.
final class GuardedStop {
    let longestHold: Duration
    private let executable: String
    private let release: StopWatchdog.Release
    private let letGo: () -> Int32
    private var watchdog: StopWatchdog?
    private let note: StopNote?
    private var isStopped = false

    /// `letGo` lets the processes go and returns 0 or an error number.
    init(_ release: StopWatchdog.Release, executable: String, longestHold: Duration, note: StopNote?, letGo: @escaping () -> Int32) throws(StopFailure) {
        self.note = note
        self.executable = executable
        self.release = release
        self.longestHold = longestHold
        self.letGo = letGo
        watchdog = try StopWatchdog(release, executable: executable)
    }

    deinit {
        if isStopped { _ = letGo() }
        note?.clear()
    }

    /// False: whoever kills our whole cgroup inside a stop leaves the processes stopped until the next start.
    var isWatchdogElsewhere: Bool { watchdog?.isElsewhere ?? false }

    var watchdogPid: Int32? { watchdog?.pid }

    func stop(within cap: Duration, _ attempt: () -> StopOutcome) throws(StopFailure) -> StopOutcome {
        guard !isStopped else { throw .busy }
        try arm(cap + longestHold)
        note?.set()
        let outcome = attempt()
        switch outcome {
        case .stopped:
            isStopped = true
            return outcome
        case .failed(.alreadyStopped):
            // Nothing of ours to undo, and what others did stays.
            settle()
            return outcome
        case .full, .failed:
            let code = letGo()
            // The watchdog stays armed: it will try.
            guard code == 0 else { throw .system(Errno(code)) }
            settle()
            return outcome
        }
    }

    func resume() throws(StopFailure) {
        guard isStopped else { return }
        let code = letGo()
        guard code == 0 else { throw .system(Errno(code)) }
        isStopped = false
        guard settle() else { throw .letGo }
    }

    /// True where the watchdog had nothing to do.
    @discardableResult
    private func settle() -> Bool {
        note?.clear()
        switch watchdog?.disarm() {
        case .held: return true
        case .letGo, .none: return false
        case .stuck:
            watchdog?.kill()
            watchdog = nil
            return false
        }
    }

    /// Arms it; a watchdog that has died, or is stopped itself, is replaced once.
    private func arm(_ hold: Duration) throws(StopFailure) {
        if let watchdog, (try? watchdog.arm(hold: hold)) != nil { return }
        watchdog?.kill()
        watchdog = nil
        let fresh = try StopWatchdog(release, executable: executable)
        try fresh.arm(hold: hold)
        watchdog = fresh
    }
}
