internal import AsofCore
internal import AsofSystem
internal import Glibc

/// How an object's file comes to be: written aside, synced, renamed, its directory synced.
extension DirectoryStore {
    /// A new, synced file in `.tmp`, filled by `fill`. Returns its path in the store.
    func writeTemporary(_ fill: (Int32) throws(Errno) -> Void) throws(Errno) -> String {
        let name = Self.temporaryFolder + "/" + Durable.temporaryName()
        return try root.withRaw { (root) throws(Errno) in
            let file: SharedDescriptor
            do throws(Errno) {
                file = try make(name, in: root)
            } catch {
                guard error.rawValue == ENOENT else { throw error }
                try Durable.makeDirectories(at: root, Self.temporaryFolder)
                file = try make(name, in: root)
            }
            do throws(Errno) {
                try file.withRaw { (raw) throws(Errno) in
                    try fill(raw)
                    try SystemCall.sync(raw)
                }
            } catch {
                try? SystemCall.unlink(at: root, name)
                throw error
            }
            return name
        }
    }

    /// Gives a file in `.tmp` its name, and makes the folders of that name where they are missing. The temporary file is gone
    /// afterwards, whether that went well or not.
    func publish(_ temporary: String, as name: String, flags: SystemCall.RenameFlags) throws(Errno) {
        try root.withRaw { (root) throws(Errno) in
            do throws(Errno) {
                do throws(Errno) {
                    try move(temporary, to: name, flags, in: root)
                } catch {
                    guard error.rawValue == ENOENT, let folder = Self.folder(of: name) else { throw error }
                    try Durable.makeDirectories(at: root, folder)
                    try move(temporary, to: name, flags, in: root)
                }
            } catch {
                try? SystemCall.unlink(at: root, temporary)
                throw error
            }
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
