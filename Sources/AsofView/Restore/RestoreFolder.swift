package import AsofCore
internal import AsofSystem
internal import Glibc

/// The folder beside the target in which a restore takes shape: `TARGET.asof-restoring-ID` with `state` and `tree`. One process at a time.
package final class RestoreFolder: Sendable {
    package let path: String
    package let target: String
    private let folder: SharedDescriptor
    private let state: Lock<RestoreState>

    package var known: RestoreState { state.withLock { $0 } }
    package var tree: String { "\(path)/tree" }

    private static let marker = ".asof-restoring-"

    /// Folders of restores to `target` that were begun.
    package static func begun(for target: String) -> [String] {
        let (parent, name) = split(target)
        guard let reader = try? DirectoryReader(parent) else { return [] }
        var found: [String] = []
        while let entry = try? reader.next() {
            if entry.name.bytes.starts(with: (name + marker).utf8) { found.append("\(parent == "/" ? "" : parent)/\(entry.name)") }
        }
        return found.sorted()
    }

    package static func path(for target: String, repository: String) -> String { target + marker + repository.prefix(8) }

    /// Where a mount is promoted to `target`: no restore, which knows nothing of what was changed there, goes on with it.
    package static func promotionPath(for target: String) -> String { "\(target).asof-promoting" }

    /// The state of a restore that was begun; nil: it has not come as far as that.
    package static func state(at path: String) throws(AsofError) -> RestoreState? {
        let bytes: [UInt8]
        do throws(Errno) { bytes = try SystemCall.readAll(path: "\(path)/\(RestoreState.fileName)", limit: 1 << 20) } catch {
            if error.rawValue == ENOENT { return nil }
            throw AsofError(error, "cannot read \(path)/\(RestoreState.fileName)")
        }
        return try RestoreState(decoding: bytes, name: "\(path)/\(RestoreState.fileName)")
    }

    /// Opens the folder, making it where it is not there. `state`: of a new one.
    package init(at path: String, target: String, new state: RestoreState) throws(AsofError) {
        self.path = path
        self.target = target
        do throws(Errno) {
            do throws(Errno) { try SystemCall.makeDirectory(path, mode: 0o700) } catch { if error.rawValue != EEXIST { throw error } }
            folder = SharedDescriptor(try SystemCall.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
            guard try SystemCall.tryLock(folder.unmanaged) else {
                throw Errno(EWOULDBLOCK)
            }
            try Durable.syncDirectory(Self.split(path).parent)
        } catch {
            if error.rawValue == EWOULDBLOCK { throw AsofError(.locked, "another restore works in \(path) now", hint: "wait for its end") }
            throw AsofError(error, "cannot make \(path)")
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

    /// The tree, opened once and for all: the kernel reports to a descriptor what could not be written since it was opened.
    func openTree() throws(AsofError) -> SharedDescriptor {
        do throws(Errno) { return SharedDescriptor(try SystemCall.open(at: folder.unmanaged, "tree", O_RDONLY | O_DIRECTORY | O_NOFOLLOW)) } catch {
            throw AsofError(error, "cannot open \(tree)")
        }
    }

    func update(_ change: (inout RestoreState) -> Void) throws(AsofError) {
        var changed = known
        change(&changed)
        try save(changed)
        state.withLock { $0 = changed }
    }

    private func save(_ state: RestoreState) throws(AsofError) {
        let bytes = try state.encode()
        do throws(Errno) { try Durable.replace(at: folder.unmanaged, RestoreState.fileName, bytes) } catch {
            throw AsofError(error, "cannot write \(path)/\(RestoreState.fileName)")
        }
    }

    /// Gives the whole tree the target's name, durably, and takes the folder away. Again after a crash: goes on where that was.
    ///
    /// `leftovers`: names of further files in the folder that go with it.
    package func switchOver(leftovers: [String] = []) throws(AsofError) {
        let parent = Self.split(target).parent
        do throws(Errno) {
            CrashPoint.reach("restore.switch.before")
            if try SystemCall.statusIfPresent(at: folder.unmanaged, "tree") != nil {
                // An empty folder of that name is replaced, anything else refuses.
                try SystemCall.rename(at: folder.unmanaged, "tree", to: AT_FDCWD, target)
            }
            CrashPoint.reach("restore.switch.renamed")
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
        do throws(Errno) {
            for name in leftovers { try? SystemCall.unlink(at: folder.unmanaged, name) }
            try? SystemCall.unlink(at: folder.unmanaged, RestoreState.fileName)
            CrashPoint.reach("restore.switch.cleared")
            try SystemCall.removeDirectory(path)
            try Durable.syncDirectory(parent)
        } catch {
            throw AsofError(error, "\(target) is restored; cannot remove \(path)")
        }
    }

    package static func parent(of path: String) -> String { split(path).parent }

    private static func split(_ path: String) -> (parent: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        return (slash == path.startIndex ? "/" : String(path[..<slash]), String(path[path.index(after: slash)...]))
    }
}
