package import AsofCore
internal import AsofSystem
internal import Glibc

/// The folder in which a restore takes shape, with `state` and `tree`; where it lies says `RestoreSite`. One process at a time.
package final class RestoreFolder: Sendable {
    package let path: String
    package let site: RestoreSite
    let folder: SharedDescriptor
    private let state: Lock<RestoreState>

    package var target: String { site.target }
    package var known: RestoreState { state.withLock { $0 } }
    package var tree: String { "\(path)/tree" }

    /// Takes a folder away that a restore made and that says nothing yet: it had only begun.
    package static func removeUnbegun(_ path: String) throws(AsofError) {
        do throws(Errno) {
            let folder = try SystemCall.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            guard try SystemCall.tryLock(folder.raw) else { throw Errno(EWOULDBLOCK) }
            try removeUnwritten(in: folder.raw)
            try SystemCall.removeDirectory(path)
        } catch {
            if error.rawValue == ENOENT { return }
            if error.rawValue == EWOULDBLOCK { throw isBusy(path) }
            throw AsofError(.failure, "\(path) is in the way: it is not known what it holds", hint: "look into it, and move it away")
        }
    }

    /// A state that was being written when its process was killed.
    private static func removeUnwritten(in folder: Int32) throws(Errno) {
        let reader = try DirectoryReader(at: folder, ".")
        while let entry = try reader.next() {
            if entry.name.description.hasPrefix(".asof-"), entry.name.description.hasSuffix(".tmp") { try SystemCall.unlink(at: folder, entry.name) }
        }
    }

    /// Nobody else can have written what is in it. A restore in place works in a folder that belongs to a server's user, who may put there what he
    /// likes: what is renamed and to where must not be his to say.
    private static func isOwn(_ folder: Int32) throws(Errno) -> Bool {
        let attributes = try SystemCall.status(folder).attributes
        return attributes.owner == geteuid() && attributes.mode & 0o077 == 0
    }

    private static func isForeign(_ path: String) -> AsofError {
        AsofError(
            .failure, "\(path) belongs to another user, or others may write to it: this user's restore did not make it",
            hint: "if that user began a restore, it is that user who finishes it, by the same command; else look into it, and move it away")
    }

    static func isBusy(_ path: String) -> AsofError { AsofError(.locked, "another restore works in \(path) now", hint: "wait for its end") }

    /// Throws `.locked` while a restore works in the folder.
    package static func requireNobody(in path: String) throws(AsofError) {
        guard let folder = try? SystemCall.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), (try? SystemCall.tryLock(folder.raw)) == false else { return }
        throw isBusy(path)
    }

    static func hasState(at path: String) -> Bool { (try? SystemCall.status("\(path)/\(RestoreState.fileName)", following: false)) != nil }

    /// Where a mount is promoted to `target`: no restore, which knows nothing of what was changed there, goes on with it.
    package static func promotionPath(for target: String) -> String { "\(target).asof-promoting" }

    /// The state of a restore that was begun; nil: it has not come as far as that.
    package static func state(at path: String) throws(AsofError) -> RestoreState? {
        let bytes: [UInt8]
        do throws(Errno) {
            let folder = try SystemCall.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            guard try isOwn(folder.raw) else { throw Errno(EPERM) }
            bytes = try SystemCall.readAll(path: "\(path)/\(RestoreState.fileName)", limit: 1 << 20)
        } catch {
            if error.rawValue == ENOENT { return nil }
            if error.rawValue == EPERM || error.rawValue == EACCES { throw isForeign(path) }
            throw AsofError(error, "cannot read \(path)/\(RestoreState.fileName)")
        }
        return try RestoreState(decoding: bytes, name: "\(path)/\(RestoreState.fileName)")
    }

    /// Opens the folder, making it where it is not there. `state`: of a new one.
    package init(at path: String, _ site: RestoreSite, new state: RestoreState) throws(AsofError) {
        self.path = path
        self.site = site
        do throws(Errno) {
            folder = try Self.openLocked(path)
            try Durable.syncDirectory(site.parent)
        } catch {
            switch error.rawValue {
            case EWOULDBLOCK: throw Self.isBusy(path)
            case EEXIST: throw Self.isForeign(path)
            default: throw AsofError(error, "cannot make \(path)")
            }
        }
        if let known = try Self.state(at: path) { self.state = Lock(known) } else {
            self.state = Lock(state)
            try save(state)
            CrashPoint.reach("restore.begin.saved")
        }
        guard !known.isWhole else { return }
        do throws(Errno) {
            do throws(Errno) { try SystemCall.makeDirectory(at: folder.unmanaged, "tree", mode: 0o700) } catch { if error.rawValue != EEXIST { throw error } }
        } catch {
            throw AsofError(error, "cannot make \(tree)")
        }
    }

    private static func openLocked(_ path: String) throws(Errno) -> SharedDescriptor {
        while true {
            do throws(Errno) { try SystemCall.makeDirectory(path, mode: 0o700) } catch { if error.rawValue != EEXIST { throw error } }
            let folder = SharedDescriptor(try SystemCall.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
            guard try isOwn(folder.unmanaged) else { throw Errno(EEXIST) }
            guard try SystemCall.tryLock(folder.unmanaged) else { throw Errno(EWOULDBLOCK) }
            // Another one may have taken it away before the lock.
            guard try SystemCall.statusIfPresent(at: AT_FDCWD, path)?.inode == SystemCall.status(folder.unmanaged).inode else { continue }
            try removeUnwritten(in: folder.unmanaged)
            // What the folder above gives to all that is made in it is no part of a restored state.
            try? SystemCall.removeExtendedAttribute(folder.unmanaged, "system.posix_acl_default")
            return folder
        }
    }

    /// The tree, opened once and for all: the kernel reports to a descriptor what could not be written since it was opened.
    func openTree() throws(AsofError) -> SharedDescriptor {
        do throws(Errno) {
            // An interrupted run may have given it its mode already, which may shut out its own owner.
            try SystemCall.changeMode(at: folder.unmanaged, "tree", 0o700)
            return SharedDescriptor(try SystemCall.open(at: folder.unmanaged, "tree", O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
        } catch {
            throw AsofError(error, "cannot open \(tree)")
        }
    }

    func update(_ change: (inout RestoreState) -> Void) throws(AsofError) {
        var changed = known
        change(&changed)
        try save(changed)
        state.withLock { $0 = changed }
    }

    /// Nothing is left to do.
    func forget() throws(AsofError) {
        do throws(Errno) {
            try SystemCall.unlink(at: folder.unmanaged, RestoreState.fileName)
            try SystemCall.sync(folder.unmanaged)
        } catch {
            throw AsofError(error, "\(target) is restored; cannot remove the file state in \(path)")
        }
        CrashPoint.reach("restore.swap.forgotten")
    }

    private func save(_ state: RestoreState) throws(AsofError) {
        let bytes = try state.encode()
        do throws(Errno) { try Durable.replace(at: folder.unmanaged, RestoreState.fileName, bytes) } catch {
            throw AsofError(error, "cannot write \(path)/\(RestoreState.fileName)")
        }
    }

    /// Gives the whole tree the target's name, durably, and takes the folder away. Again after a crash: goes on where that was.
    package func switchOver() throws(AsofError) { try Self.clear(ended: try nameTree()) }

    /// The first part of that. Returns what the folder is called now, to be cleared away.
    package func nameTree() throws(AsofError) -> String {
        let parent = site.parent
        try makeMovable()
        do throws(Errno) {
            CrashPoint.reach("restore.switch.before")
            if try SystemCall.statusIfPresent(at: folder.unmanaged, "tree") != nil {
                // An empty folder of that name is replaced, anything else refuses.
                try SystemCall.rename(at: folder.unmanaged, "tree", to: AT_FDCWD, target)
            }
            CrashPoint.reach("restore.switch.renamed")
            if let mode = known.rootMode { try close(mode) }
            try Durable.syncDirectory(parent)
            try SystemCall.sync(folder.unmanaged)
        } catch {
            switch error.rawValue {
            case ENOTEMPTY, EEXIST, ENOTDIR:
                throw AsofError(.failure, "\(target) is there by now and is not an empty folder", hint: "the restored tree is whole in \(tree): move \(target) away and give the command again")
            default: throw AsofError(error, "cannot rename \(tree) to \(target)")
            }
        }
        CrashPoint.reach("restore.switch.synced")
        // The name says first that it is over: what is left then is not taken for a restore that has not begun.
        let ended = site.endedPath(repository: known.repository, timeline: known.timeline, lsn: LSN(known.lsn), isPromotion: known.isPromotion)
        do throws(Errno) {
            try SystemCall.rename(at: AT_FDCWD, path, to: AT_FDCWD, ended)
            try Durable.syncDirectory(parent)
        } catch {
            throw AsofError(error, "\(target) is restored; cannot remove \(path)")
        }
        CrashPoint.reach("restore.switch.ended")
        return ended
    }

    /// To another parent a folder goes only where its owner may write to it. A mode that forbids that waits until the tree has its name.
    private func makeMovable() throws(AsofError) {
        guard geteuid() != 0, let mode = (try? SystemCall.status(at: folder.unmanaged, "tree"))?.attributes.mode, mode & 0o200 == 0 else { return }
        if known.rootMode == nil { try update { $0.rootMode = mode } }
        do throws(Errno) { try SystemCall.changeMode(at: folder.unmanaged, "tree", mode | 0o700) } catch {
            throw AsofError(error, "cannot rename \(tree) to \(target)")
        }
    }

    /// Gives the tree the mode that waited, durably.
    private func close(_ mode: UInt32) throws(Errno) {
        let root = try SystemCall.open(target, SystemCall.O_PATH | O_DIRECTORY | O_NOFOLLOW)
        try SystemCall.changeMode(root.raw, mode)
        try SystemCall.syncFileSystem(folder.unmanaged)
    }

    /// Takes away what a restore that ended left.
    package static func clear(ended path: String) throws(AsofError) {
        do throws(Errno) {
            let folder = SharedDescriptor(try SystemCall.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
            let (reader, removal) = (try DirectoryReader(at: folder.unmanaged, "."), TreeRemoval(at: folder.unmanaged))
            while let entry = try reader.next() { try removal.remove(entry.name) }
            CrashPoint.reach("restore.switch.cleared")
            try SystemCall.removeDirectory(path)
            try Durable.syncDirectory(parent(of: path))
        } catch {
            throw AsofError(error, "the restore is done; cannot remove \(path)")
        }
    }

    package static func parent(of path: String) -> String { split(path).parent }

    private static func split(_ path: String) -> (parent: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        return (slash == path.startIndex ? "/" : String(path[..<slash]), String(path[path.index(after: slash)...]))
    }
}
