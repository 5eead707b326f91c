package import AsofCore
internal import AsofSystem
internal import Glibc

/// A store in a directory: an object is a file.
///
/// ```
/// <path>/timelines/main/head.json    objects, under their names
/// <path>/.tmp/…                      objects being written; what is left there for a day is removed
/// <path>/.lock                       flock'ed while an object that may change is changed
/// ```
/// A file is written in `.tmp`, synced, renamed to its name, and its directory synced: nobody sees a part of it, and a crash
/// leaves the old object or the new one. The directory must be on one file system; network file systems serve when they have
/// `rename` and `flock`.
package final class DirectoryStore: ObjectStore {
    package enum Access: Hashable, Sendable {
        /// Changes are refused.
        case reading
        /// The directory must exist.
        case writing
        /// The directory is made where it is missing.
        case creating
    }

    package let path: String
    package var description: String { path }

    static let temporaryFolder = ".tmp"
    static let lockName = ".lock"

    /// Held for the store's life, so that every call means the same directory whatever happens to its path.
    let root: SharedDescriptor
    let access: Access
    /// As whom root makes what is new; nil: as itself.
    let owner: StoreOwner?
    private let cache: Lock<DescriptorCache>

    /// Opens the store in the directory at `path`. `.noRepository` where there is none.
    package init(_ path: String, access: Access, openDescriptors: Int = 128) throws(AsofError) {
        self.path = path
        self.access = access
        cache = Lock(DescriptorCache(capacity: openDescriptors))
        do throws(Errno) {
            if access == .creating { try Durable.makeDirectories(path) }
            root = SharedDescriptor(try SystemCall.open(path, O_RDONLY | O_DIRECTORY))
            owner = root.withRaw { StoreOwner(ofFolder: $0) }
        } catch {
            if error.rawValue == ENOENT, access != .creating {
                throw AsofError(.noRepository, "there is no directory \(path)", hint: "check the path, or run asof init first")
            }
            throw AsofError(error, "cannot open \(path)")
        }
        if access != .reading { removeLeftovers(olderThan: 24 * 3600) }
    }

    // MARK: Reading

    package func get(_ name: String) throws(AsofError) -> StoredObject? {
        try StoreName.check(name)
        do throws(Errno) {
            guard let (file, status) = try open(name) else { return nil }
            let bytes = try file.withRaw { (raw) throws(Errno) in try SystemCall.readAll(raw) }
            return StoredObject(bytes: bytes, version: Self.version(bytes, status))
        } catch {
            throw AsofError(error, "cannot read \(path)/\(name)")
        }
    }

    package func get(
        _ name: String, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(AsofError) {
        try StoreName.check(name)
        guard let end = Int64(exactly: offset)?.addingReportingOverflow(Int64(buffer.count)), !end.overflow else {
            throw damaged(name, "has no byte \(offset)")
        }
        let count: Int
        do throws(Errno) {
            guard let file = try descriptor(of: name) else { throw Errno(ENOENT) }
            count = try file.withRaw { (raw) throws(Errno) in
                // Nothing asked is nothing read, but beyond the end it is still beyond the end.
                if buffer.isEmpty { return try SystemCall.status(raw).attributes.size >= offset ? 0 : -1 }
                return try SystemCall.readFully(raw, at: offset, into: buffer)
            }
        } catch {
            if error.rawValue == ENOENT { throw damaged(name, "is missing") }
            throw AsofError(error, "cannot read \(path)/\(name)")
        }
        guard count == buffer.count else {
            throw damaged(name, "is too short: \(buffer.count) bytes wanted at \(offset), \(max(count, 0)) are there")
        }
    }

    package func size(_ name: String) throws(AsofError) -> UInt64? {
        try StoreName.check(name)
        do throws(Errno) {
            let status = try root.withRaw { (root) throws(Errno) in
                try SystemCall.statusIfPresent(at: root, name, following: true)
            }
            guard let attributes = status?.attributes, attributes.isRegular else { return nil }
            return attributes.size
        } catch {
            throw AsofError(error, "cannot read \(path)/\(name)")
        }
    }

    // MARK: Writing

    package func put(_ name: String, _ bytes: [UInt8]) throws(AsofError) {
        try put(name) { (raw) throws(Errno) in try SystemCall.writeFully(raw, at: 0, bytes) }
    }

    package func put(_ name: String, fromDescriptor descriptor: Int32) throws(AsofError) {
        try put(name) { (raw) throws(Errno) in try SystemCall.copyWhole(from: descriptor, to: raw) }
    }

    private func put(_ name: String, _ fill: (Int32) throws(Errno) -> Void) throws(AsofError) {
        try changing(name) { () throws(Errno) in
            CrashPoint.reach("store.put.before")
            let temporary = try writeTemporary(for: name, fill)
            CrashPoint.reach("store.put.written")
            try publish(temporary, as: name, flags: [])
            CrashPoint.reach("store.put.renamed")
            try syncParent(of: name)
        }
    }

    package func putIfAbsent(_ name: String, _ bytes: [UInt8]) throws(AsofError) -> Bool {
        try changing(name) { () throws(Errno) in
            if try open(name) != nil { return false }
            CrashPoint.reach("store.put.before")
            let temporary = try writeTemporary(for: name) { (raw) throws(Errno) in try SystemCall.writeFully(raw, at: 0, bytes) }
            CrashPoint.reach("store.put.written")
            do throws(Errno) {
                try publish(temporary, as: name, flags: .noReplace)
            } catch {
                if error.rawValue == EEXIST { return false }
                throw error
            }
            CrashPoint.reach("store.put.renamed")
            try syncParent(of: name)
            return true
        }
    }

    package func put(
        _ name: String, _ bytes: [UInt8], ifUnchanged version: ObjectVersion
    ) throws(AsofError) -> ObjectVersion? {
        try changing(name, locked: true) { () throws(Errno) in
            CrashPoint.reach("store.cas.before")
            guard let (current, status) = try open(name) else { return nil }
            let old = try current.withRaw { (raw) throws(Errno) in try SystemCall.readAll(raw) }
            guard Self.version(old, status) == version else { return nil }
            var written: FileStatus?
            let temporary = try writeTemporary(for: name) { (raw) throws(Errno) in
                try SystemCall.writeFully(raw, at: 0, bytes)
                written = try SystemCall.status(raw)
            }
            CrashPoint.reach("store.put.written")
            try publish(temporary, as: name, flags: [])
            CrashPoint.reach("store.put.renamed")
            try syncParent(of: name)
            CrashPoint.reach("store.cas.after")
            return written.map { Self.version(bytes, $0) }
        }
    }

    package func delete(_ name: String) throws(AsofError) {
        try changing(name) { () throws(Errno) in
            do throws(Errno) {
                try root.withRaw { (root) throws(Errno) in try SystemCall.unlink(at: root, name) }
            } catch {
                switch error.rawValue {
                case ENOENT, ENOTDIR, EISDIR: return
                default: throw error
                }
            }
        }
    }

    // MARK: Pieces

    /// The object's file, opened; nil where there is none (a directory is none).
    private func open(_ name: String) throws(Errno) -> (SharedDescriptor, FileStatus)? {
        let file: SharedDescriptor
        do throws(Errno) {
            // Not to wait, should it be a pipe that somebody put there.
            file = try root.withRaw { (root) throws(Errno) in
                SharedDescriptor(try SystemCall.open(at: root, name, O_RDONLY | O_NONBLOCK | O_NOCTTY))
            }
        } catch {
            switch error.rawValue {
            case ENOENT, ENOTDIR, ENXIO: return nil
            default: throw error
            }
        }
        let status = try file.withRaw { (raw) throws(Errno) in try SystemCall.status(raw) }
        return status.attributes.isRegular ? (file, status) : nil
    }

    /// The same from the cache, where the object is of the kind that does not change.
    private func descriptor(of name: String) throws(Errno) -> SharedDescriptor? {
        guard StoreName.isImmutable(name) else { return try open(name)?.0 }
        let (found, generation) = cache.withLock { ($0.find(name), $0.generation) }
        if let found { return found }
        guard let (file, _) = try open(name) else { return nil }
        cache.withLock { $0.keep(file, as: name, openedIn: generation) }
        return file
    }

    /// Descriptors kept open. For tests.
    package var cachedDescriptors: Int { cache.withLock { $0.count } }

    /// Runs a change of `name`, under the lock where several writers may change it, and forgets what was known of the object.
    private func changing<R>(
        _ name: String, locked: Bool = false, _ body: () throws(Errno) -> R
    ) throws(AsofError) -> R {
        try StoreName.check(name)
        guard access != .reading else {
            throw AsofError(.failure, "cannot change \(name): \(path) was opened for reading")
        }
        defer { cache.withLock { $0.forget(name) } }
        do throws(Errno) {
            guard locked || !StoreName.isImmutable(name) else { return try body() }
            // The lock belongs to this open file, so it excludes other threads as well as other processes; closing lets go.
            let lock = try root.withRaw { (root) throws(Errno) in
                SharedDescriptor(try openLock(in: root))
            }
            return try lock.withRaw { (raw) throws(Errno) in
                try SystemCall.lock(raw)
                return try body()
            }
        } catch {
            throw AsofError(error, "cannot write \(path)/\(name)")
        }
    }

    /// Which object this is: each replacement is a new file, so inode and time differ as well as, almost always, the content.
    private static func version(_ bytes: [UInt8], _ status: FileStatus) -> ObjectVersion {
        let time = status.attributes.modified.nanoseconds
        return ObjectVersion(token: "\(status.inode)-\(time)-\(bytes.count)-\(ContentVersion.token(bytes))")
    }

    private func damaged(_ name: String, _ what: String) -> AsofError {
        AsofError(.damaged, "\(path)/\(name) \(what)", hint: "restore it from a copy of the repository; instants that do not need it still mount")
    }
}
