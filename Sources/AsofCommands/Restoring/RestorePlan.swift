internal import AsofCommandLine
internal import AsofCore
internal import AsofFrame
internal import AsofRepository
internal import AsofStore
internal import AsofSystem
internal import AsofView

/// What a restore is about: which state, to where, and whether one that was begun goes on.
struct RestorePlan {
    let session: Session
    let target: String
    let head: Head
    let reader: ObjectReader
    let cut: Cut
    /// Why the newest state is not the one restored, for people.
    let note: String?
    /// WHEN as it was written.
    let asked: String
    /// What an interrupted restore has done, and where.
    let begun: RestoreState?
    let folder: String

    init(_ invocation: Invocation) throws(AsofError) {
        session = try Session(invocation)
        asked = try invocation.required("at")
        target = try RestorePlace.resolve(try invocation.required("to"))
        try RestorePlace.check(target, session, invocation)
        let repository = session.repository.id.description
        folder = RestoreFolder.path(for: target, repository: repository)
        reader = ObjectReader(repository: session.repository)
        let known = try Self.begun(target)
        guard let when = try invocation.when("at") else { throw AsofError(.usage, "restore needs --at", hint: "give --at WHEN") }
        if let known, known.state.asked == asked, known.state.repository == repository, known.state.timeline == session.timeline.name {
            head = try session.timeline.head()
            note = nil
            cut = try session.timeline.resolve(.lsn(LSN(known.state.lsn)), head: head, reader: reader)
        } else {
            let request = CutRequest(when.resolve(now: SystemClock.now()))
            (head, note) = try ServedMount.head(for: request, session)
            cut = try session.timeline.resolve(request, head: head, reader: reader)
        }
        begun = known?.state
        guard let known else {
            try RestorePlace.requireFree(target)
            return
        }
        guard known.state.repository == repository, known.state.timeline == session.timeline.name, known.state.lsn == cut.lsn.rawValue, known.path == folder else {
            let other = known.state.repository == repository ? "" : " of another repository"
            throw AsofError(
                .failure, "\(known.path) holds an interrupted restore of lsn:\(known.state.lsn) on timeline \(known.state.timeline)\(other), not of lsn:\(cut.lsn)",
                hint: "go on with that one by --at \(known.state.asked), or remove the folder (rm -r \(ShellWord.quoted(known.path))) and begin this one")
        }
        if !known.state.isWhole || (try? SystemCall.status("\(known.path)/tree")) != nil { try RestorePlace.requireFree(target) }
    }

    /// The restore to `target` that was begun; what has not come as far as to say what it is of is taken away.
    private static func begun(_ target: String) throws(AsofError) -> (path: String, state: RestoreState)? {
        var found: [(path: String, state: RestoreState)] = []
        for path in RestoreFolder.begun(for: target) {
            if let state = try RestoreFolder.state(at: path) {
                found.append((path, state))
            } else {
                do throws(Errno) { try SystemCall.removeDirectory(path) } catch {
                    throw AsofError(.failure, "\(path) is in the way: it is not known what it holds", hint: "look into it, and move it away")
                }
            }
        }
        guard found.count <= 1 else {
            throw AsofError(
                .failure, "several restores to \(target) were interrupted: \(found.map(\.path).joined(separator: ", "))", hint: "remove all but one of these folders")
        }
        return found.first
    }

    func view() throws(AsofError) -> View {
        let view = try View(cut, of: session.timeline, head: head, reader: reader)
        try view.open()
        return view
    }

    /// A warning; nil: no file of the state can be torn.
    func fuzziness(of view: View) throws(AsofError) -> String? {
        try view.isExact() ? nil : "this state is fuzzy: something moved while it was taken, and files may be torn; `asof window` shows where exact ones are"
    }
}

/// A word for a shell to read.
enum ShellWord {
    static func quoted(_ text: String) -> String {
        let isPlain = !text.isEmpty && text.utf8.allSatisfy { ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A) || ($0 >= 0x2B && $0 <= 0x3A) || $0 == 0x5F || $0 == 0x40 || $0 == 0x3D }
        return isPlain ? text : "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
