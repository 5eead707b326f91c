internal import AsofCommandLine
internal import AsofCore
internal import AsofRepository
internal import AsofStore
internal import AsofSystem
internal import AsofView

/// `asof clone`: a timeline that leaves another one at a cut. Copies nothing.
enum CloneVerb {
    private struct Answer: Encodable {
        var timeline: String
        var parent: String
        var lsn: UInt64
        var time: String
        var exact: Bool
        var mount: String
        var restore: String
    }

    static func run(_ invocation: Invocation) throws(AsofError) {
        guard invocation.origin(of: "timeline") == .commandLine else {
            throw AsofError(.usage, "clone needs --timeline", hint: "give --timeline NAME: how the new timeline is to be called")
        }
        guard let when = try invocation.when("at") else { throw AsofError(.usage, "clone needs --at", hint: "give --at WHEN") }
        let session = try Session(invocation, .writing)
        let clone = session.timeline
        if try clone.loadHead() != nil { throw Self.isThere(clone) }
        let parent = session.on(try session.repository.timeline(try invocation.required("from")))
        let request = CutRequest(when.resolve(now: SystemClock.now()))
        let (head, note) = try ServedMount.head(for: request, parent)
        if let note { Console.note(note) }
        let reader = ObjectReader(repository: session.repository, onBrokenBase: Console.note(brokenBase:))
        let cut = try parent.timeline.resolve(request, head: head, reader: reader)
        // What cannot be opened is no place to go on from.
        let view = try View(cut, of: parent.timeline, head: head, reader: reader)
        try view.open()
        let isExact = try view.isExact()
        if !isExact { Console.note("this state is fuzzy: something moved while it was taken, and files may be torn; `asof window` shows where exact ones are") }
        if invocation.flag("dry-run") {
            return try DryRun.say(
                "make timeline \(clone.name), which leaves \(parent.timeline.name) at lsn:\(cut.lsn) of \(cut.time)",
                with: ["timeline": clone.name, "parent": parent.timeline.name, "lsn": cut.lsn.description, "time": cut.time.description], invocation)
        }
        let made = try clone.branch(from: parent.timeline, at: cut, head: head)
        let answer = Answer(
            timeline: clone.name, parent: made.parent?.timeline ?? parent.timeline.name, lsn: cut.lsn.rawValue, time: cut.time.description, exact: isExact,
            mount: command(invocation, clone, "mount", ["--at", "latest"]), restore: command(invocation, clone, "restore", ["--at", "latest", "--to"]))
        if invocation.flag("json") { return try Console.json(answer) }
        Console.line("\(answer.timeline): leaves \(answer.parent) at \(answer.time) (lsn:\(answer.lsn)); nothing was copied")
        guard !invocation.flag("quiet") else { return }
        Console.line("look      \(answer.mount) DIR")
        Console.line("work      \(answer.restore) DIR, then capture DIR: it goes on in \(answer.timeline)")
    }

    private static func isThere(_ timeline: Timeline) -> AsofError {
        AsofError(.failure, "there is a timeline \(timeline.name) already", hint: "`asof timeline list` shows all; choose another name")
    }

    /// A command for the clone, as far as its last word.
    private static func command(_ invocation: Invocation, _ timeline: Timeline, _ verb: String, _ more: [String]) -> String {
        var words = ["asof", "--timeline", timeline.name, verb] + more
        for name in ["repo", "key-file", "key-env", "state-dir"] where invocation.origin(of: name) == .commandLine {
            if let value = invocation.value(name) { words.insert(contentsOf: ["--\(name)", value], at: 1) }
        }
        return words.map(ShellWord.quoted).joined(separator: " ")
    }
}
