internal import AsofCore
internal import AsofSystem
internal import Glibc

/// How an object's file comes to be: written aside, synced, renamed, its directory synced.
extension DirectoryStore {
    /// A file in `.tmp` that gets its name.
    struct Temporary {
        fileprivate let path: String
        /// As whom it was made, and is published; nil: as ourselves.
        fileprivate let owner: StoreOwner?
    }

    /// A new, synced file in `.tmp`, filled by `fill`, for the object `name`.
    func writeTemporary(for object: String, _ fill: (Int32) throws(Errno) -> Void) throws(Errno) -> Temporary {
        let path = Self.temporaryFolder + "/" + Durable.temporaryName()
        return try root.withRaw { (root) throws(Errno) in
            let owner = owner(of: object, in: root)
            let file = try Self.acting(owner) { () throws(Errno) in try makeTemporary(path, in: root) }
            do throws(Errno) {
                try file.withRaw { (raw) throws(Errno) in
                    try fill(raw)
                    try SystemCall.sync(raw)
                }
            } catch {
                try? SystemCall.unlink(at: root, path)
                throw error
            }
            return Temporary(path: path, owner: owner)
        }
    }

    /// Gives a file in `.tmp` its name, and makes the folders of that name where they are missing. The temporary file is gone
    /// afterwards, whether that went well or not.
    func publish(_ temporary: Temporary, as name: String, flags: SystemCall.RenameFlags) throws(Errno) {
        try root.withRaw { (root) throws(Errno) in
            do throws(Errno) {
                try Self.acting(temporary.owner) { () throws(Errno) in
                    do throws(Errno) {
                        try move(temporary.path, to: name, flags, in: root)
                    } catch {
                        guard error.rawValue == ENOENT, let folder = Self.folder(of: name) else { throw error }
                        try Durable.makeDirectories(at: root, folder)
                        try move(temporary.path, to: name, flags, in: root)
                    }
                }
            } catch {
                try? SystemCall.unlink(at: root, temporary.path)
                throw error
            }
        }
    }

    /// The file that is locked while an object that may change is changed.
    func openLock(in root: Int32) throws(Errno) -> OwnedDescriptor {
        do throws(Errno) {
            return try Self.acting(owner) { () throws(Errno) in try SystemCall.open(at: root, Self.lockName, O_RDWR | O_CREAT, mode: 0o600) }
        } catch {
            // There is one, which a root made for itself.
            guard owner != nil, error.rawValue == EACCES else { throw error }
            return try SystemCall.open(at: root, Self.lockName, O_RDWR | O_NOFOLLOW)
        }
    }

    /// As whom an object is made. Where root has a folder of its own in the repository, what is in there is root's as well.
    private func owner(of object: String, in root: Int32) -> StoreOwner? {
        guard let owner, owner.owns(folderOf: object, in: root), owner.owns(folderOf: Self.temporaryFolder + "/x", in: root) else { return nil }
        return owner
    }

    private static func acting<R: ~Copyable>(_ owner: StoreOwner?, _ body: () throws(Errno) -> R) throws(Errno) -> R {
        if let owner { try owner.acting(body) } else { try body() }
    }

    private func makeTemporary(_ path: String, in root: Int32) throws(Errno) -> SharedDescriptor {
        do throws(Errno) {
            return try make(path, in: root)
        } catch {
            guard error.rawValue == ENOENT else { throw error }
            try Durable.makeDirectories(at: root, Self.temporaryFolder)
            return try make(path, in: root)
        }
    }

    /// Makes the name durable.
    func syncParent(of name: String) throws(Errno) {
        try root.withRaw { (root) throws(Errno) in
            guard let folder = Self.folder(of: name) else { return try SystemCall.sync(root) }
            let directory = try SystemCall.open(at: root, folder, O_RDONLY | O_DIRECTORY)
            try SystemCall.sync(directory.raw)
        }
    }

    /// Removes what dead writers left in `.tmp`. Failures are left to the next time.
    func removeLeftovers(olderThan seconds: Int64) {
        guard let folder = try? root.withRaw({ (root) throws(Errno) in
            SharedDescriptor(try SystemCall.open(at: root, Self.temporaryFolder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
        }) else { return }
        let limit = Instant(seconds: SystemClock.now().seconds - seconds)
        let reader = DirectoryReader(folder)
        while let entry = try? reader.next() {
            folder.withRaw { raw in
                guard let status = try? SystemCall.status(at: raw, entry.name), status.attributes.isRegular,
                    status.attributes.modified < limit
                else { return }
                try? SystemCall.unlink(at: raw, entry.name)
            }
        }
    }

    private func make(_ name: String, in root: Int32) throws(Errno) -> SharedDescriptor {
        SharedDescriptor(try SystemCall.open(at: root, name, O_RDWR | O_CREAT | O_EXCL, mode: 0o600))
    }

    private func move(
        _ temporary: String, to name: String, _ flags: SystemCall.RenameFlags, in root: Int32
    ) throws(Errno) {
        do throws(Errno) {
            try SystemCall.rename(at: root, temporary, to: root, name, flags: flags)
        } catch {
            // Not every file system (NFS) knows "unless it exists"; there a hard link says the same.
            guard flags == .noReplace, error.rawValue == EINVAL || error.rawValue == ENOSYS else { throw error }
            try SystemCall.link(at: root, temporary, to: root, name)
            try? SystemCall.unlink(at: root, temporary)
        }
    }

    private static func folder(of name: String) -> String? {
        name.lastIndex(of: "/").map { String(name[..<$0]) }
    }
}
