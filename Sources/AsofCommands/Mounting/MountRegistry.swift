internal import AsofCore
internal import AsofFuse
internal import AsofOverlay
internal import AsofRepository
internal import AsofSystem
internal import Glibc

/// Which process of this host serves which mount: one file a mount, so that `umount` can wait for its end and `status` can name it.
struct MountRegistry {
    struct Entry: Codable {
        var mountPoint: String
        var process: Int32
        var started: UInt64
        /// The folder of the overlay of a mount that can be changed.
        var overlay: String?
        /// Nil: everybody on this host sees it.
        var alone: Alone?
    }

    /// A mount that one command alone sees. Nobody else can ask it what it shows.
    struct Alone: Codable {
        var command: String
        var time: String?
        var lsn: UInt64?
    }

    struct Registration: Sendable {
        /// Nil: nothing was written.
        fileprivate(set) var path: String?
        func remove() { if let path { try? SystemCall.unlink(path) } }
    }

    private let folder: String

    init(stateFolder: String) { folder = "\(stateFolder)/mounts" }

    /// Remembers that this process serves `mountPoint`. Only a convenience: failing is no error.
    func register(_ mountPoint: String, overlay: String? = nil, alone: Alone? = nil) -> Registration {
        guard let identity = try? ProcessIdentity.current(), (try? Durable.makeDirectories(folder)) != nil,
            let bytes = try? JSONText.encode(Entry(mountPoint: mountPoint, process: identity.pid, started: identity.startTicks, overlay: overlay, alone: alone)),
            (try? Durable.replace(inDirectory: folder, "\(identity.pid)", bytes)) != nil
        else { return Registration(path: nil) }
        return Registration(path: "\(folder)/\(identity.pid)")
    }

    /// The living servers; what the dead left is removed.
    func entries() -> [Entry] {
        guard let reader = try? DirectoryReader(folder) else { return [] }
        var result: [Entry] = []
        while let found = try? reader.next() {
            let path = "\(folder)/\(found.name)"
            guard let bytes = try? SystemCall.readAll(path: path, limit: 65_536),
                let entry = try? JSONText.decode(Entry.self, bytes, name: path)
            else { continue }
            if isAlive(entry) { result.append(entry) } else { try? SystemCall.unlink(path) }
        }
        return result
    }

    /// The mount at a path without links, which everybody sees. One that was taken out of sight there may still be served.
    func newest(at path: String) -> Entry? {
        entries().filter { $0.mountPoint == path && $0.alone == nil }.max { $0.started < $1.started }
    }

    /// The same for a path that was given.
    func mount(at given: String) throws(AsofError) -> Entry {
        let listed = "`asof status` lists the mounts of this host"
        let path: String
        do throws(Errno) { path = try SystemCall.realPath(Session.absolute(given)) } catch {
            if error.rawValue == ENOTCONN { throw Self.isDead(Session.absolute(given)) }
            throw error.rawValue == ENOENT ? AsofError(error, given, hint: listed) : AsofError(error, given)
        }
        guard let entry = newest(at: path) else {
            if MountTable.isOurs(path), !answers(path) { throw Self.isDead(path) }
            if let alone = entries().first(where: { $0.mountPoint == path })?.alone {
                throw AsofError(
                    .failure, "the mount at \(path) is seen by one command alone, \(alone.command): other commands of asof cannot ask it",
                    hint: "with --overlay its changes are kept: mount them without a command")
            }
            throw AsofError(.failure, "no asof mount of this host is at \(path)", hint: listed)
        }
        return entry
    }

    static func isDead(_ path: String) -> AsofError {
        AsofError(.failure, "the server of the mount at \(path) has ended", hint: OverlayControl.afterDeath(path))
    }

    /// Whether anybody serves the mount. What the kernel has of it does not say.
    private func answers(_ path: String) -> Bool {
        do throws(Errno) { _ = try SystemCall.open(path, O_RDONLY | O_DIRECTORY) } catch { return error.rawValue != ENOTCONN }
        return true
    }

    /// The overlay's folder of the mount at a path that was given.
    func overlay(at given: String) throws(AsofError) -> String {
        let entry = try mount(at: given)
        guard let overlay = entry.overlay else {
            throw AsofError(.failure, "the mount at \(entry.mountPoint) has no overlay: nothing was changed there that a mount with --rw keeps apart", hint: "mount with --rw")
        }
        return overlay
    }

    func isAlive(_ entry: Entry) -> Bool { (try? ProcessIdentity.of(entry.process))?.startTicks == entry.started }
}
