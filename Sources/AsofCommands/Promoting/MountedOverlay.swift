internal import AsofCommandLine
internal import AsofCore
internal import AsofFrame
internal import AsofOverlay
internal import AsofRepository
internal import AsofStore
internal import AsofView

/// A mount that can be changed, as commands beside it see it: its overlay's folder and the view below.
struct MountedOverlay {
    let folder: String
    /// Which overlay it is.
    let id: String
    let repository: Repository
    let view: View

    init(_ invocation: Invocation) throws(AsofError) {
        let given = try invocation.argument("MOUNTPOINT")
        let registry = MountRegistry(stateFolder: Session.stateFolder(invocation))
        folder = try registry.overlay(at: given)
        guard let identity = try OverlayFolder.identity(at: folder) else {
            throw AsofError(.unavailable, "the mount at \(given) ended", hint: "`asof status` lists mounts")
        }
        // Mounted by an older program: its folder has to do.
        id = identity.id ?? folder
        repository = try Repository.open(try Session.store(invocation, .reading), key: try Session.key(invocation))
        guard repository.configuration.id.description == identity.repository else {
            throw AsofError(.failure, "\(given) shows a state of another repository", hint: "name that one by --repo")
        }
        let timeline = try repository.timeline(identity.timeline)
        let head = try timeline.head()
        let reader = ObjectReader(repository: repository, onBrokenBase: Console.note(brokenBase:))
        view = try View(try timeline.resolve(.lsn(LSN(identity.lsn)), head: head, reader: reader), of: timeline, head: head, reader: reader)
        try view.open()
    }

    /// What was changed until now.
    func contents() throws(AsofError) -> OverlayContents { try OverlayContents(folder: folder) }
}
