internal import AsofCapture
internal import AsofCommandLine
internal import AsofCore
internal import AsofFormat
internal import AsofRepository
internal import AsofStore
internal import AsofSystem

/// `asof backup create`: a base from the log, or everything up to now sealed and archived.
enum BackupCreateVerb {
    private struct Answer: Encodable {
        var id: String
        var type: String
        var lsn: UInt64
        var bytes: UInt64?
        var inodes: Int?
        var isNew: Bool
    }

    static func run(_ invocation: Invocation) throws(AsofError) {
        let session = try Session(invocation, .writing)
        let type = try invocation.required("type")
        if invocation.flag("dry-run") {
            return try DryRun.say(
                "create a backup of type \(type) in timeline \(session.timeline.name)", with: ["type": type, "timeline": session.timeline.name], invocation)
        }
        switch type {
        case "incremental": try incremental(session, invocation)
        case "base": try base(session, invocation)
        default: throw AsofError(.usage, "\(type) is not a type of backup", hint: "write --type base or --type incremental")
        }
    }

    private static func incremental(_ session: Session, _ invocation: Invocation) throws(AsofError) {
        guard let sealed = try session.control().seal() else {
            let head = try session.timeline.head()
            let age = HumanFormat.duration(nanoseconds: max(0, SystemClock.now().nanoseconds(since: head.exactUntil)))
            let newest = head.exactUntil == .distantPast ? "nothing is archived yet" : "the last captured instant is \(head.exactUntil), \(age) ago"
            throw AsofError(
                .failure, "no capture of timeline \(session.timeline.name) runs on this host; \(newest)",
                hint: head.holder.map { $0.isKnownDead ? WindowVerb.endedSilently($0.description) : "it is held by \($0.description)" }
                    ?? "`asof follow DIR` starts one")
        }
        let answer = Answer(id: sealed.time, type: "incremental", lsn: sealed.lsn, bytes: nil, inodes: nil, isNew: true)
        try show(answer, invocation) { "\(answer.id)  everything acknowledged until then is archived (lsn:\(answer.lsn))" }
    }

    private static func base(_ session: Session, _ invocation: Invocation) throws(AsofError) {
        _ = try session.control().seal()
        let progress = Progress({ "merging the log into a base" }, isQuiet: invocation.flag("quiet"))
        defer { progress.end() }
        let scratch = "\(session.stateFolder)/scratch"
        do throws(Errno) { try Durable.makeDirectories(scratch) } catch { throw AsofError(error, "cannot make \(scratch)") }
        let reader = ObjectReader(repository: session.repository, onBrokenBase: Console.note(brokenBase:))
        if let made = try session.timeline.createBase(reader: reader, scratch: scratch) {
            progress.end()
            let answer = Answer(
                id: made.base.lastTime.description, type: "base", lsn: made.base.last.rawValue, bytes: made.base.size,
                inodes: made.inodes, isNew: true)
            return try show(answer, invocation) {
                "\(answer.id)  base at lsn:\(answer.lsn): \(HumanFormat.count(made.inodes)) files and directories, index \(HumanFormat.bytes(made.base.size))"
            }
        }
        progress.end()
        guard let newest = try session.timeline.head().bases.last else { return }
        let answer = Answer(
            id: newest.lastTime.description, type: "base", lsn: newest.last.rawValue, bytes: newest.size, inodes: nil, isNew: false)
        try show(answer, invocation) { "\(answer.id)  nothing changed since this base (lsn:\(answer.lsn))" }
    }

    private static func show(_ answer: Answer, _ invocation: Invocation, _ text: () -> String) throws(AsofError) {
        if invocation.flag("json") { try Console.json(answer) } else { Console.line(text()) }
    }
}
