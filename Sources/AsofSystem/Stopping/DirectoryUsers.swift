package import AsofCore
internal import Glibc

/// Who uses a directory now, in whatever way: reads or writes a file below it, has one mapped, runs a program from it, works in it. Found in
/// /proc, so only processes that we may look into: the others are counted. What it cannot see is what `OpenWriters` cannot.
package enum DirectoryUsers {
    package struct Process: Hashable, Sendable {
        package var pid: Int32
        /// Its command name, 15 bytes at most.
        package var name: String
        /// What it does there, for people: "has …/x open".
        package var use: String
    }

    package struct Findings: Hashable, Sendable {
        /// By their pids.
        package var processes: [Process]
        /// Processes that we were not allowed to look into.
        package var hidden: Int
    }

    /// Looks through all processes but our own.
    package static func find(below directory: String) throws(Errno) -> Findings {
        let tree = try WatchedTree(directory)
        var found = Findings(processes: [], hidden: 0)
        for pid in try OpenWriters.processes() where pid != getpid() {
            // Nil: it has ended meanwhile.
            guard let stat = try? ProcessStat.read(pid), !stat.isDead else { continue }
            do throws(Errno) {
                var uses = ProcessUses(of: pid, tree)
                if let use = try uses.first() { found.processes.append(Process(pid: pid, name: OpenWriters.name(of: pid), use: use)) }
            } catch {
                if error.rawValue == EACCES || error.rawValue == EPERM { found.hidden += 1 }
            }
        }
        found.processes.sort { $0.pid < $1.pid }
        return found
    }

    /// Where something is mounted below the directory, as this process sees it.
    package static func mounts(below directory: String) throws(Errno) -> [String] {
        let path = Array(try SystemCall.realPath(directory).utf8)
        return try MountTable(of: "self").mounts.map(\.point).filter { $0 != path && PathPrefix.covers(path, $0) }.map { String(decoding: $0, as: UTF8.self) }
    }
}

/// What one process does in a tree.
private struct ProcessUses {
    private let pid: Int32
    private let tree: WatchedTree
    private var sharesNamespace = false
    /// The process's mounts, read when first needed.
    private var ownMounts: MountTable?

    init(of pid: Int32, _ tree: WatchedTree) {
        self.pid = pid
        self.tree = tree
    }

    /// The first use that is found; nil: none.
    mutating func first() throws(Errno) -> String? {
        sharesNamespace = try SystemCall.readLink(at: AT_FDCWD, "/proc/\(pid)/ns/mnt") == tree.namespace
        for (link, what) in [("cwd", "works in"), ("root", "has its root in"), ("exe", "runs")] {
            if let path = try? SystemCall.readLink(at: AT_FDCWD, "/proc/\(pid)/\(link)"), isInside(path, mount: nil) { return "\(what) \(text(path))" }
        }
        let reader = try DirectoryReader("/proc/\(pid)/fd")
        while let entry = try reader.next() {
            // What fails here was closed in between.
            guard let path = try? SystemCall.readLink(at: AT_FDCWD, "/proc/\(pid)/fd/\(entry.name)"), path.first == 0x2F else { continue }
            let mount = (try? DescriptorInformation(process: "\(pid)", descriptor: entry.name.description))?.mount
            if isInside(path, mount: mount) { return "has \(text(path)) open" }
        }
        for line in try SystemCall.readAll(path: "/proc/\(pid)/maps", limit: 1 << 28).split(separator: 0x0A) {
            let fields = line.split(separator: 0x20, maxSplits: 5)
            guard fields.count == 6 else { continue }
            let path = OctalEscapes.decode(fields[5].drop { $0 == 0x20 })
            if path.first == 0x2F, isInside(path, mount: nil) { return "has \(text(path)) mapped" }
        }
        return nil
    }

    /// `mount`: the number of the one that the path goes through, where it is known.
    private mutating func isInside(_ path: [UInt8], mount: Int?) -> Bool {
        if sharesNamespace, PathPrefix.covers(tree.path, path) { return true }
        if ownMounts == nil { ownMounts = sharesNamespace ? tree.mounts : try? MountTable(of: "\(pid)") }
        return tree.contains(path, through: mount.map { ownMounts?.mount(id: $0) } ?? ownMounts?.mount(covering: path))
    }

    private func text(_ path: [UInt8]) -> String { String(decoding: path, as: UTF8.self) }
}
