internal import AsofCapture
internal import AsofCommandLine
internal import AsofCore

extension CaptureLimits {
    /// As the options of a capture say.
    init(_ invocation: Invocation) throws(AsofError) {
        self.init()
        if let interval = try invocation.duration("interval") { self.interval = interval }
        if let size = try invocation.size("segment-size") { segmentSize = size }
        if let size = try invocation.size("spool-limit") { spoolLimit = size }
        keepsLocal = invocation.flag("keep-local")
    }

    /// The end of a capture that could not archive everything.
    static func leftInSpool(_ spool: Spool) -> AsofError {
        AsofError(
            .incomplete, "not everything could be archived: what is left waits in the spool \(spool.folder)",
            hint: "the same command on the same spool archives it; nothing is lost as long as the spool is kept")
    }
}
