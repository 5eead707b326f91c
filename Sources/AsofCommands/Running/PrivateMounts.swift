internal import AsofCore
internal import AsofFuse
internal import AsofRepository
internal import AsofStore
internal import AsofSystem
internal import Glibc
internal import Synchronization

/// A mount namespace for this process and the command that it runs: what is mounted in it nobody else sees, and it goes with its last process.
enum PrivateMounts {
    /// In a user namespace, where nobody but the caller exists.
    static var isForUserAlone: Bool { userAlone.load(ordering: .relaxed) }
    private static let userAlone = Atomic<Bool>(false)

    /// Mounts of asof that are not in the namespace.
    private static let lacking = Lock<[String]>([])

    /// Once, before there is any second thread.
    static func begin() throws(AsofError) {
        guard WorkingDirectory.path != nil else {
            throw AsofError(.failure, "the folder that you stand in is not there any more", hint: "cd to another one first")
        }
        do throws(Errno) {
            let isRoot = geteuid() == 0
            if isRoot { try Namespaces.leaveMounts() } else { try Namespaces.leaveAsUser() }
            let detached = MountTable.detachCopies()
            lacking.withLock { $0 = detached }
            if !isRoot { userAlone.store(true, ordering: .relaxed) }
        } catch {
            throw AsofError(
                .failure, "a mount for one command alone is not allowed here: \(error.text)",
                hint: geteuid() == 0
                    ? "in a container: --cap-add SYS_ADMIN; or mount for everybody: asof mount --at WHEN MOUNTPOINT"
                    : "run it as root, or allow user namespaces (user.max_user_namespaces, kernel.unprivileged_userns_clone, "
                        + "kernel.apparmor_restrict_unprivileged_userns); or mount for everybody: asof mount --at WHEN MOUNTPOINT")
        }
    }

    /// Where to mount: `given`, or a folder of ours. One for all, since everybody sees his own mount in it: so nothing is left behind by whoever is
    /// killed.
    static func mountPoint(_ given: String?, _ session: Session) throws(AsofError) -> String {
        if let given {
            let path = FolderLayout.resolved(given)
            if let mount = mountLacking(above: path), path != mount {
                throw AsofError(.usage, "\(path) lies in \(mount), a mount of asof that the command does not see", hint: "mount over \(mount) itself, or elsewhere")
            }
            return try GivenPath.real(path)
        }
        let folder = "\(session.stateFolder)/past"
        do throws(Errno) {
            try Durable.makeDirectories(session.stateFolder)
            if try SystemCall.statusIfPresent(at: AT_FDCWD, folder) == nil { try? SystemCall.makeDirectory(folder, mode: 0o755) }
            return try SystemCall.realPath(folder)
        } catch {
            throw AsofError(error, "cannot make the folder \(folder) to mount on", hint: "name another one")
        }
    }

    /// What asof itself needs must not be hidden by the mount.
    static func check(_ mountPoint: String, _ session: Session, repository: String, overlay: String?) throws(AsofError) {
        var places = [("state directory", session.stateFolder)]
        if let location = try? StoreLocation(parsing: repository), case .directory(let path) = location { places.append(("repository", Session.absolute(path))) }
        if let overlay { places.append(("overlay", overlay)) }
        for (what, place) in places {
            let real = (try? SystemCall.realPath(place)) ?? place
            guard !FolderLayout.isInside(real, mountPoint) else {
                throw AsofError(.usage, "the \(what) \(place) lies in \(mountPoint), and would be hidden by the mount", hint: "mount elsewhere")
            }
            if let mount = mountLacking(above: place) {
                throw AsofError(.usage, "the \(what) \(place) lies in \(mount), a mount of asof that the command does not see", hint: "name a folder elsewhere")
            }
        }
        if let folder = WorkingDirectory.path, let mount = mountLacking(above: folder), !FolderLayout.isInside(folder, mountPoint) {
            throw AsofError(
                .failure, "you stand in \(mount), a mount of asof that the command does not see",
                hint: "cd to another folder first, or mount over it: asof mount --at WHEN \(ShellWord.quoted(mount)) -- CMD")
        }
    }

    private static func mountLacking(above path: String) -> String? { lacking.withLock { $0.last { FolderLayout.isInside(path, $0) } } }
}
