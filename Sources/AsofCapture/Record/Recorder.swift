package import AsofCore
package import AsofRepository
internal import AsofSystem
internal import AsofView
internal import Glibc
internal import Synchronization

/// A running `record`: a session, the file system that the server works in, and the comparison that runs behind it.
package final class Recorder: Sendable {
    package let fileSystem: RecordFileSystem
    private let session: CaptureSession
    private let reconciler: Reconciler
    private let comparison = Monitor<Comparison>(.running)
    private let hasBegun = Atomic<Bool>(false)

    private enum Comparison {
        case running, cancelled, done(Reconciler.Outcome), failed(AsofError)
        var isOver: Bool { if case .running = self { false } else { true } }
    }

    /// Opens everything; nothing is served yet. `report`: one line for the operator.
    package init(
        backing: String, timeline: Timeline, spool: Spool, limits: CaptureLimits, takeOver: Bool,
        report: @escaping @Sendable (String) -> Void
    ) throws(AsofError) {
        let session = try CaptureSession(
            backing: backing, timeline: timeline, spool: spool, limits: limits, takeOver: takeOver, report: report)
        self.session = session
        do throws(Errno) {
            let table = try NodeTable(root: session.root, known: session.known, highestInode: session.highestInode)
            fileSystem = RecordFileSystem(table: table, session: session)
        } catch {
            throw AsofError(error, "cannot read \(backing)")
        }
        reconciler = Reconciler(table: fileSystem.table, journal: session.journal, known: session.known, suspicion: session.suspicion, unreadable: UnreadableLog(session.report)) {
            session.journal.fileCount > 64
        }
    }

    /// Starts comparing behind the mount, and waits for a short comparison: after a restart the first request then finds everything settled.
    package func begin() throws(AsofError) {
        hasBegun.store(true, ordering: .releasing)
        try session.startThread("asof-compare") { [self] in compare() }
        if session.start.lsn > .zero { _ = comparison.wait(timeout: .seconds(2)) { $0.isOver } }
    }

    private func compare() {
        do throws(AsofError) {
            if let outcome = try reconciler.run() {
                try session.settle(outcome)
                comparison.withLock { $0 = .done(outcome) }
            } else {
                comparison.withLock { $0 = .cancelled }
            }
        } catch {
            session.report("the directory could not be compared with the log: \(error.message). Nothing captured since the start can be mounted until a restart succeeds; \(UnreadableLog.way(error))")
            comparison.withLock { $0 = .failed(error) }
        }
        comparison.broadcast()
    }

    /// True when another capture took the timeline over: this one must end.
    package var isFenced: Bool { session.isFenced }

    /// Seals and archives everything that was acknowledged before the call. Returns the head then.
    package func sealNow(timeout: Duration) throws(AsofError) -> Head {
        _ = comparison.wait(timeout: timeout) { $0.isOver }
        return try session.sealNow(timeout: timeout)
    }

    /// Ends the capture after the mount is gone. False: something could not be archived and waits in the spool.
    package func stop() -> Bool {
        reconciler.cancel()
        // It must not log behind the last seal.
        if hasBegun.load(ordering: .acquiring) { comparison.wait { $0.isOver } }
        return session.stop()
    }

    package var status: RecorderStatus {
        let comparing: String
        switch comparison.withLock({ $0 }) {
        case .running, .cancelled: comparing = "running"
        case .done: comparing = "done"
        case .failed(let error): comparing = "failed: \(error.message)"
        }
        return RecorderStatus(session, comparison: comparing, reconciler.outcome)
    }
}
