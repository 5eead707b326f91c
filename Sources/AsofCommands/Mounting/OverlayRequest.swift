internal import AsofCommandLine
internal import AsofCore
internal import AsofFrame
internal import AsofOverlay
internal import AsofRepository
internal import AsofStore
internal import AsofSystem
internal import AsofView

/// What `--rw` and `--overlay` ask for.
struct OverlayRequest {
    /// Where the changes are kept, without links: where they lead can be another place once there is a namespace of mounts; nil: they go with the mount.
    let folder: String?

    /// Nil: the mount is for reading.
    init?(_ invocation: Invocation) throws(AsofError) {
        folder = invocation.value("overlay").map(FolderLayout.resolved)
        guard invocation.flag("rw") else {
            if folder != nil { throw AsofError(.usage, "--overlay is for a mount that can be changed", hint: "add --rw") }
            return nil
        }
        try requireUnheld(invocation)
        guard invocation.value("at") != nil else {
            throw AsofError(.usage, "--rw needs --at: one state can be changed, not all of time", hint: "`--at latest` is the newest")
        }
    }

    /// For a server, which always gets changes of its own.
    init(forServer invocation: Invocation) throws(AsofError) {
        folder = invocation.value("overlay").map(FolderLayout.resolved)
        try requireUnheld(invocation)
    }

    /// Throws where what is written would be taken for something else. Before there is a namespace of mounts: it does not have all of them.
    private func requireUnheld(_ invocation: Invocation) throws(AsofError) {
        guard let folder else { return }
        if WorkingDirectory.path == nil, invocation.value("overlay")?.hasPrefix("/") == false {
            throw AsofError(.failure, "the folder that you stand in is not there any more", hint: "cd to another one first")
        }
        let location = try Session.location(invocation)
        if case .directory(let path) = location, FolderLayout.isWithin(folder, path) {
            throw AsofError(.usage, "the overlay \(folder) lies in the repository \(path)", hint: "give --overlay a folder elsewhere")
        }
        try CapturedPlace.refuse(folder, "give --overlay a folder elsewhere")
    }

    /// The state that a mount or a server would begin with.
    func planned(_ invocation: Invocation, _ session: Session) throws(AsofError) -> Cut {
        guard let when = try invocation.when("at") else { throw AsofError(.usage, "--at is missing", hint: "`--at latest` is the newest state") }
        let head = try session.timeline.head()
        let reader = ObjectReader(repository: session.repository, onBrokenBase: Console.note(brokenBase:))
        let cut = try session.timeline.resolve(try request(when, now: SystemClock.now()), head: head, reader: reader)
        if let folder { try OverlayFolder.require(identity(session, session.timeline.name, cut), at: folder) }
        return cut
    }

    private func identity(_ session: Session, _ timeline: String, _ cut: Cut) -> OverlayFolder.Identity {
        OverlayFolder.Identity(repository: session.repository.configuration.id.description, timeline: timeline, lsn: cut.lsn, time: cut.time)
    }

    /// The state that `when` means; of a time relative to now, the one that the overlay lies over already.
    func request(_ when: When, now: Instant) throws(AsofError) -> CutRequest {
        let request = CutRequest(when.resolve(now: now))
        guard let folder, let found = try OverlayFolder.identity(at: folder) else { return request }
        return switch when {
        case .latest, .relative: .lsn(LSN(found.lsn))
        case .instant, .lsn: request
        }
    }

    /// Throws where one would hide the other, or lie in it.
    func requireApart(from mountPoint: String) throws(AsofError) {
        guard let folder else { return }
        if FolderLayout.isInside(folder, mountPoint) {
            throw AsofError(.usage, "the overlay \(folder) lies in \(mountPoint), and would be hidden by the mount", hint: "give --overlay a folder elsewhere")
        }
        if FolderLayout.isInside(mountPoint, folder) {
            throw AsofError(.usage, "\(mountPoint) lies in the overlay \(folder), which holds nothing but changes", hint: "mount elsewhere")
        }
    }

    /// Why nothing can be changed in the mount; nil: all can.
    static func frozen(_ overlay: OverlayFileSystem, _ mountPoint: String) throws(AsofError) -> String? {
        guard let promotion = try OverlayFolder.promotion(at: overlay.place), promotion.isFrozen else { return nil }
        return promotion.isDone
            ? "nothing can be changed here: the overlay was promoted to \(promotion.target)"
            : "nothing can be changed here: the overlay is being promoted to \(promotion.target); `asof promote \(ShellWord.quoted(mountPoint)) --finalize` goes on"
    }

    func open(_ view: View, _ session: Session, _ presentation: ViewFileSystem.Presentation) throws(AsofError) -> OverlayFileSystem {
        let identity = identity(session, view.timeline, view.cut)
        let place = if let folder { try OverlayFolder(folder, over: identity) } else { try OverlayFolder(temporaryIn: "\(session.stateFolder)/overlays", over: identity) }
        return try OverlayFileSystem(OverlayBase(view, owner: presentation.owner, report: presentation.report), place, report: presentation.report)
    }
}
