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
    let site: RestoreSite
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
    /// This very restore was done by the command before, which did not come to clear away what it needed.
    let hasEnded: Bool

    var target: String { site.target }

    init(_ invocation: Invocation) throws(AsofError) {
        session = try Session(invocation)
        asked = try invocation.required("at")
        site = try Self.site(invocation)
        try RestorePlace.check(site, session, invocation)
        if site.isInPlace { try RestoreInPlace.check(site.target) }
        let repository = session.repository.id.description
        reader = ObjectReader(repository: session.repository, onBrokenBase: Console.note(brokenBase:))
        let known = try Self.begun(site)
        folder = known?.path ?? site.path(repository: repository)
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
            hasEnded = site.ended().contains(site.endedPath(repository: repository, timeline: session.timeline.name, lsn: cut.lsn, isPromotion: false)) && Self.isWhatWasRestored(site.target, cut.lsn)
            if !site.isInPlace, !hasEnded { try RestorePlace.requireFree(site.target) }
            return
        }
        hasEnded = false
        guard known.state.repository == repository, known.state.timeline == session.timeline.name, known.state.lsn == cut.lsn.rawValue else {
            try RestoreFolder.requireNobody(in: known.path)
            let other = known.state.repository == repository ? "" : " of another repository"
            let way = "--timeline \(known.state.timeline) --at \(known.state.asked)"
            throw AsofError(
                .failure, "\(known.path) holds an interrupted restore of lsn:\(known.state.lsn) on timeline \(known.state.timeline)\(other), not of lsn:\(cut.lsn) on timeline \(session.timeline.name)",
                hint: known.state.swap == nil
                    ? "go on with that one by \(way), or remove the folder (rm -r \(ShellWord.quoted(known.path))) and begin this one"
                    : "finish that one by \(way): until then \(site.target) is neither the old state nor the new one")
        }
        guard !site.isInPlace else { return }
        let target = site.target
        if !known.state.isWhole || (try? SystemCall.status("\(known.path)/tree")) != nil { try RestorePlace.requireFree(target) }
    }

    /// Not an empty folder that somebody made there since.
    private static func isWhatWasRestored(_ target: String, _ lsn: LSN) -> Bool {
        if let origin = try? DirectoryOrigin.read(target) { return origin.lsn == lsn.rawValue }
        guard let reader = try? DirectoryReader(target) else { return false }
        return (try? reader.next()) != nil
    }

    private static func site(_ invocation: Invocation) throws(AsofError) -> RestoreSite {
        guard let directory = invocation.value("in-place") else { return RestoreSite(try RestorePlace.resolve(try invocation.required("to")), isInPlace: false) }
        return RestoreSite(try RestoreInPlace.directory(directory), isInPlace: true)
    }

    /// The restore that was begun there; what has not come as far as to say what it is of is taken away.
    private static func begun(_ site: RestoreSite) throws(AsofError) -> (path: String, state: RestoreState)? {
        var found: [(path: String, state: RestoreState)] = []
        for path in site.begun() {
            if let state = try RestoreFolder.state(at: path) {
                found.append((path, state))
            } else {
                try RestoreFolder.removeUnbegun(path)
            }
        }
        guard found.count <= 1 else {
            throw AsofError(
                .failure, "several restores to \(site.target) were interrupted: \(found.map(\.path).joined(separator: ", "))", hint: "remove all but one of these folders")
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
