internal import AsofCommandLine
internal import AsofCore
internal import AsofFrame
internal import AsofOverlay
internal import AsofRepository
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
        guard invocation.value("at") != nil else {
            throw AsofError(.usage, "--rw needs --at: one state can be changed, not all of time", hint: "`--at latest` is the newest")
        }
    }

    /// For a server, which always gets changes of its own.
    init(forServer invocation: Invocation) { folder = invocation.value("overlay").map(FolderLayout.resolved) }

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
        let identity = OverlayFolder.Identity(
            repository: session.repository.configuration.id.description, timeline: view.timeline, lsn: view.cut.lsn, time: view.cut.time)
        let place = if let folder { try OverlayFolder(folder, over: identity) } else { try OverlayFolder(temporaryIn: "\(session.stateFolder)/overlays", over: identity) }
        return try OverlayFileSystem(OverlayBase(view, owner: presentation.owner, report: presentation.report), place, report: presentation.report)
    }
}
