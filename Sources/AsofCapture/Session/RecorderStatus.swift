internal import AsofCore
internal import AsofRepository
internal import Glibc

/// What `asof status` asks a running recorder for.
package struct RecorderStatus: Codable, Sendable {
    package var process: Int32
    package var epoch: UInt64
    package var lastTransaction: UInt64
    /// Nil: no transaction yet.
    package var lastTime: String?
    package var archivedTransaction: UInt64
    /// Nil: nothing yet.
    package var archivedUntil: String?
    package var waitingSegments: Int
    package var waitingBytes: UInt64
    package var spoolBytes: UInt64
    package var spoolLimit: UInt64
    /// `running`, `done` or `failed: …`.
    package var comparison: String
    package var compared: Int
    package var comparedBytes: UInt64
    package var differences: Int
    /// What goes wrong now; nil: nothing.
    package var trouble: String?
    /// Of a directory that is followed.
    package var follow: FollowFigures?

    init(_ session: CaptureSession, comparison: String, _ outcome: Reconciler.Outcome) {
        let (end, head) = (session.journal.end, session.archiver.head)
        let (segments, bytes) = session.archiver.waiting
        process = getpid()
        epoch = session.appender.epoch
        lastTransaction = end.lsn.rawValue
        lastTime = end.lsn == .zero ? nil : end.time.description
        archivedTransaction = head.last.rawValue
        archivedUntil = head.capturedUntil == .distantPast ? nil : head.capturedUntil.description
        waitingSegments = segments
        waitingBytes = bytes
        spoolBytes = session.spool.usedBytes()
        spoolLimit = session.limits.spoolLimit
        self.comparison = comparison
        compared = outcome.visited
        comparedBytes = outcome.bytes
        differences = outcome.different
        trouble = [session.sealer.trouble, session.archiver.trouble?.message].compactMap { $0 }.first
    }
}
