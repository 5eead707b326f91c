internal import AsofCapture
internal import AsofCommandLine
internal import AsofCore
internal import AsofRepository
internal import AsofStore
internal import Glibc

/// What a capture in the foreground says on standard output: a line an event, for programs an object a line.
struct CaptureEvents {
    private struct Ready: Encodable {
        var event = "ready"
        var directory: String
        /// Of `record`: where the server works.
        var mountPoint: String?
        var repository: String
        var timeline: String
        var spool: String
        var process: Int32
    }

    private struct Captured: Encodable {
        var event = "captured"
        var until: String
        var lsn: UInt64
    }

    private let isJSON: Bool

    init(_ invocation: Invocation) { isJSON = invocation.flag("json") }

    func ready(_ text: String, directory: String, mountPoint: String? = nil, _ session: Session, _ spool: Spool) throws(AsofError) {
        let place = session.repository.store.description
        guard isJSON else { return Console.line("ready: \(text) into \(place) (timeline \(session.timeline.name))") }
        try Console.json(
            Ready(directory: directory, mountPoint: mountPoint, repository: place, timeline: session.timeline.name, spool: spool.folder, process: getpid()))
    }

    func captured(_ head: Head) throws(AsofError) {
        guard isJSON else { return Console.line("captured until \(head.exactUntil) (lsn:\(head.lastExact))") }
        try Console.json(Captured(until: head.exactUntil.description, lsn: head.lastExact.rawValue))
    }
}
