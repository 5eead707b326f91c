package import AsofCore
internal import AsofFormat
internal import AsofFrame
internal import AsofRepository
internal import AsofSystem
internal import Glibc

/// The folder that an overlay lives in, held by one process at a time.
///
///     overlay.json   which view it lies over        table      the newest checkpoint
///     lock           held while it is mounted       journal/   what came behind it
///     control        for `asof diff` and `promote`     data/      bytes, a sparse file for each changed file
///     promotion      where it is promoted to           reserve    space for the next table on a full disk
package final class OverlayFolder: Sendable {
    /// Which overlay it is, and the view that it lies over.
    package struct Identity: Codable, Hashable, Sendable {
        package var format = 1
        package var repository: String
        package var timeline: String
        package var lsn: UInt64
        /// For people.
        package var time: String
        /// Its own: another overlay over the same view has other changes. Nil: an older program made it, and it was not mounted since.
        package var id: String?

        package init(repository: String, timeline: String, lsn: LSN, time: Instant) {
            self.repository = repository
            self.timeline = timeline
            self.lsn = lsn.rawValue
            self.time = time.description
            id = ObjectID.random().description
        }
    }

    package let path: String
    let data: SharedDescriptor
    private let lock: SharedDescriptor
    /// It goes with the mount: nothing in it needs to survive a crash.
    package let isTemporary: Bool

    /// Nil: there is no overlay at `path` yet.
    package static func identity(at path: String) throws(AsofError) -> Identity? {
        let bytes: [UInt8]
        do throws(Errno) { bytes = try SystemCall.readAll(path: "\(path)/overlay.json", limit: 65_536) } catch {
            if error.rawValue == ENOENT || error.rawValue == ENOTDIR { return nil }
            throw AsofError(error, "cannot read the overlay at \(path)")
        }
        let found = try JSONText.decode(Identity.self, bytes, name: "\(path)/overlay.json")
        guard found.format == 1 else {
            throw AsofError(.failure, "the overlay at \(path) has format \(found.format), which this program does not know", hint: "use a newer asof")
        }
        return found
    }

    /// Opens or makes the overlay over the view that `identity` names.
    package init(_ path: String, over identity: Identity) throws(AsofError) {
        self.path = path
        isTemporary = false
        if let found = try Self.require(identity, at: path) {
            (lock, data) = try Self.open(path)
            if found.id == nil { try Self.save(identity, path) }
        } else {
            (lock, data) = try Self.make(path, identity)
        }
    }

    /// Throws where the overlay there lies over another view. Returns what it says of itself; nil: there is none.
    @discardableResult
    package static func require(_ identity: Identity, at path: String) throws(AsofError) -> Identity? {
        guard let found = try Self.identity(at: path) else { return nil }
        guard found.repository == identity.repository else { throw stranger(path, "a view of another repository") }
        guard found.timeline == identity.timeline, found.lsn == identity.lsn else {
            throw stranger(path, "lsn:\(found.lsn) (\(found.time)) of timeline \(found.timeline)")
        }
        return found
    }

    private static func stranger(_ path: String, _ what: String) -> AsofError {
        AsofError(.failure, "the overlay at \(path) lies over \(what): over anything else its changes would make no sense", hint: "mount that view, or use another folder for the overlay")
    }

    /// An overlay for as long as a mount lasts, in a folder of its own below `parent`.
    package init(temporaryIn parent: String, over identity: Identity) throws(AsofError) {
        isTemporary = true
        let json = try JSONText.encode(identity)
        do throws(Errno) {
            try Durable.makeDirectories(parent)
            Self.removeAbandoned(in: parent)
            path = "\(parent)/\(Self.temporary)\(getpid())-\(SystemClock.bootNanoseconds())"
            try SystemCall.makeDirectory(path, mode: 0o700)
            try Durable.replace(inDirectory: path, "overlay.json", json)
        } catch { throw AsofError(error, "cannot make a folder for the changes in \(parent)") }
        (lock, data) = try Self.open(path)
    }

    /// What goes with its mount is called so: somebody may keep his own beside it.
    private static let temporary = "temporary-"

    /// What mounts that were killed left.
    package static func removeAbandoned(in parent: String) {
        guard let reader = try? DirectoryReader(parent) else { return }
        while let entry = try? reader.next() {
            let path = "\(parent)/\(entry.name)"
            guard entry.name.description.hasPrefix(temporary) else { continue }
            guard let file = try? SystemCall.open("\(path)/lock", O_RDWR), (try? SystemCall.tryLock(file.raw)) == true else { continue }
            remove(path)
        }
    }

    private static func make(_ path: String, _ identity: Identity) throws(AsofError) -> (SharedDescriptor, SharedDescriptor) {
        do throws(Errno) {
            try Durable.makeDirectories(path)
            let reader = try DirectoryReader(path)
            while let entry = try reader.next() {
                // What an attempt that ended in the middle left.
                let isOurs = ["lock", "data", "journal", "control"].contains(entry.name.description) || entry.name.description.hasPrefix(".asof-")
                if !isOurs { throw Errno(ENOTEMPTY) }
            }
        } catch {
            if error.rawValue == ENOTEMPTY {
                throw AsofError(.failure, "\(path) is not empty, and no overlay", hint: "give --overlay a folder of its own")
            }
            throw AsofError(error, "cannot make an overlay at \(path)")
        }
        let opened = try open(path)
        try save(identity, path)
        return opened
    }

    private static func save(_ identity: Identity, _ path: String) throws(AsofError) {
        let json = try JSONText.encode(identity)
        do throws(Errno) { try Durable.replace(inDirectory: path, "overlay.json", json) } catch { throw AsofError(error, "cannot make an overlay at \(path)") }
    }

    private static func open(_ path: String) throws(AsofError) -> (lock: SharedDescriptor, data: SharedDescriptor) {
        do throws(Errno) {
            let lock = SharedDescriptor(try SystemCall.open("\(path)/lock", O_RDWR | O_CREAT, mode: 0o600))
            guard try lock.withRaw({ raw throws(Errno) in try SystemCall.tryLockBehindTheDead(raw) }) else {
                throw Errno(EBUSY)
            }
            for name in ["data", "journal"] { try Durable.makeDirectories("\(path)/\(name)") }
            return (lock, SharedDescriptor(try SystemCall.open("\(path)/data", O_RDONLY | O_DIRECTORY)))
        } catch {
            if error.rawValue == EBUSY {
                throw AsofError(.locked, "the overlay at \(path) is mounted already", hint: "unmount it first: `asof status` lists mounts")
            }
            throw AsofError(error, "cannot open the overlay at \(path)")
        }
    }

    /// Removes a temporary overlay with all that is in it.
    func removeTemporary() { if isTemporary { Self.remove(path) } }

    private static func remove(_ path: String) {
        for folder in ["data", "journal"] {
            if let reader = try? DirectoryReader("\(path)/\(folder)") {
                while let entry = try? reader.next() { try? SystemCall.unlink("\(path)/\(folder)/\(entry.name)") }
            }
            try? SystemCall.removeDirectory("\(path)/\(folder)")
        }
        for name in ["overlay.json", "table", "lock", "control", OverlayPromotion.name] { try? SystemCall.unlink("\(path)/\(name)") }
        try? SystemCall.removeDirectory(path)
    }

    /// Makes `bytes` the table; a crash leaves the old one or the new one. On a full disk it takes the space that was kept for it: without a new
    /// table nothing that was removed is freed.
    func replaceTable(_ bytes: [UInt8]) throws(Errno) {
        do throws(Errno) { try Durable.replace(inDirectory: path, OverlayTable.name, bytes) } catch {
            guard error.rawValue == ENOSPC, (try? SystemCall.unlink("\(path)/\(Self.reserve)")) != nil else { throw error }
            try Durable.replace(inDirectory: path, OverlayTable.name, bytes)
        }
        if !isTemporary { keepReserve(for: bytes.count) }
    }

    private static let reserve = "reserve"

    private func keepReserve(for tableLength: Int) {
        let wanted = UInt64(tableLength) * 2 + 1 << 20
        guard let file = try? SystemCall.open("\(path)/\(Self.reserve)", O_RDWR | O_CREAT, mode: 0o600),
            let status = try? SystemCall.status(file.raw), status.attributes.size < wanted
        else { return }
        try? SystemCall.allocate(file.raw, offset: 0, length: wanted)
    }

    /// The newest checkpoint; an empty one where none was made yet.
    static func table(at path: String) throws(AsofError) -> OverlayTable {
        let bytes: [UInt8]
        do throws(Errno) { bytes = try SystemCall.readAll(path: "\(path)/\(OverlayTable.name)") } catch {
            if error.rawValue == ENOENT { return OverlayTable() }
            throw AsofError(error, "cannot read \(path)/\(OverlayTable.name)")
        }
        do throws(FormatError) { return try OverlayTable(decoding: bytes) } catch {
            throw AsofError(
                .damaged, "\(path)/\(OverlayTable.name) is damaged: \(error.description)",
                hint: "the changes in this overlay cannot be mounted; the view without them can")
        }
    }

    // MARK: Being promoted

    /// Where the overlay is promoted to; nil: nobody has begun.
    package static func promotion(at path: String) throws(AsofError) -> OverlayPromotion? {
        let bytes: [UInt8]
        do throws(Errno) { bytes = try SystemCall.readAll(path: "\(path)/\(OverlayPromotion.name)", limit: 65_536) } catch {
            if error.rawValue == ENOENT { return nil }
            throw AsofError(error, "cannot read \(path)/\(OverlayPromotion.name)")
        }
        return try JSONText.decode(OverlayPromotion.self, bytes, name: "\(path)/\(OverlayPromotion.name)")
    }

    package static func save(_ promotion: OverlayPromotion, at path: String) throws(AsofError) {
        let bytes = try JSONText.encode(promotion)
        do throws(Errno) { try Durable.replace(inDirectory: path, OverlayPromotion.name, bytes) } catch {
            throw AsofError(error, "cannot write \(path)/\(OverlayPromotion.name)")
        }
    }
}
