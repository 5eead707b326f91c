internal import AsofCapture
internal import AsofCommandLine
internal import AsofCore
internal import AsofRepository
internal import AsofStore
internal import AsofSystem

/// A timeline that goes on from the one that is read by default, and that was captured on this host, with newer states: after a restore
/// the directory is captured in a child, and who names no timeline would look at a history that has ended.
enum NewerTimeline {
    /// Commands that read a timeline without being told which.
    private static let readers: Set<[String]> = [
        ["mount"], ["start"], ["restore"], ["backup", "restore"], ["backup", "create"], ["backup", "list"], ["log"], ["window"], ["status"], ["clone"],
    ]
    /// Captures of other timelines on this host that are looked at.
    private static let most = 16

    /// Says so, for people. Says nothing where it cannot be told: that is the command's own part.
    static func note(_ invocation: Invocation) {
        guard readers.contains(invocation.path), invocation.origin(of: option(invocation)) == .fallback, !invocation.flag("quiet"), !invocation.flag("json") else { return }
        guard let note = try? text(invocation) else { return }
        Console.note(note)
    }

    /// Which option names the timeline that is read.
    private static func option(_ invocation: Invocation) -> String { invocation.path == ["clone"] ? "from" : "timeline" }

    /// Nil: there is none, or what is asked for lies before the point where it leaves.
    private static func text(_ invocation: Invocation) throws(AsofError) -> String? {
        // Asks this host, not the repository: listing one can take long.
        let (place, stateFolder) = (try Session.location(invocation).description, Session.stateFolder(invocation))
        let own = try invocation.required(option(invocation))
        let others = LastCapture.timelines(stateFolder: stateFolder, repository: place).filter { $0 != own }
        guard !others.isEmpty else { return nil }
        let session = try Session(invocation)
        let timeline = try session.repository.timeline(own)
        guard let head = try timeline.loadHead(), head.holder?.isKnownDead ?? true else { return nil }
        var newest: (name: String, leaves: CutPoint, until: Instant)?
        for name in others.prefix(most) {
            guard let found = try? leaves(name, timeline), found.until > max(head.exactUntil, newest?.until ?? head.exactUntil) else { continue }
            newest = (name, found.leaves, found.until)
        }
        guard let newest, try isBehind(newest.leaves, invocation) else { return nil }
        return """
            timeline \(own) is not captured now; \(newest.name), which leaves it at lsn:\(newest.leaves.lsn) (\(newest.leaves.time)), \
            goes on until \(newest.until): --\(option(invocation)) \(newest.name) is that one
            """
    }

    /// Where a timeline leaves `own`, and how far it goes; nil: it does not go on from it.
    private static func leaves(_ name: String, _ own: Timeline) throws(AsofError) -> (leaves: CutPoint, until: Instant)? {
        let timeline = try own.repository.timeline(name)
        guard let head = try timeline.loadHead() else { return nil }
        var lineage = Lineage(timeline, head: head)
        while let generation = try lineage.next() {
            guard let parent = generation.head.parent, parent.timeline == own.name else { continue }
            return (CutPoint(lsn: parent.lsn, time: parent.time), head.exactUntil)
        }
        return nil
    }

    /// What is asked for may lie behind that point.
    private static func isBehind(_ point: CutPoint, _ invocation: Invocation) throws(AsofError) -> Bool {
        guard ["mount", "start", "restore", "clone"].contains(invocation.path.last), let when = try invocation.when("at") else { return true }
        return switch when.resolve(now: SystemClock.now()) {
        case .latest: true
        case .instant(let instant): instant > point.time
        case .lsn(let lsn): lsn > point.lsn
        }
    }
}
