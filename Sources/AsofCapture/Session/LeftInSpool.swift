package import AsofCore
package import AsofRepository

/// What a capture that was killed left in its spool, where no later capture of that timeline will open it: its directory was restored, and is
/// another timeline's from now on.
package enum LeftInSpool {
    /// Brings it into the repository. Returns the newest transaction of it; nil: nothing waits. `.locked`: a capture runs there.
    ///
    /// `backing`: any directory of the file system that was captured; the journal may refer to files there.
    package static func archive(
        _ spool: Spool, of timeline: Timeline, backing: String, report: @escaping @Sendable (String) -> Void
    ) throws(AsofError) -> LSN? {
        guard let head = try timeline.loadHead(), let newest = try spool.unarchived(head, backing: backing) else { return nil }
        let session = try CaptureSession(backing: backing, timeline: timeline, spool: spool, limits: CaptureLimits(), takeOver: false, report: report)
        guard session.stop() else { throw AsofError(.unavailable, "what waits in \(spool.folder) could not be archived") }
        return newest
    }
}
