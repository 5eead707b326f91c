package import AsofCore
internal import Glibc

/// Who may write below a directory now: the processes that have regular files there open for writing, or mapped shared and
/// writable. Found in /proc, so only processes that we may look into: the others are counted.
///
/// What it cannot see: who opens a file later; what io_uring or a socket's message in flight holds; a descriptor table that a
/// thread has for itself (`unshare(CLONE_FILES)`).
package enum OpenWriters {
    package struct Process: Hashable, Sendable {
        package var pid: Int32
        /// For `ProcessHandle`, so that the number is not taken for its successor.
        package var startTicks: UInt64
        package var parent: Int32
        /// Its command name, 15 bytes at most.
        package var name: String
        /// Regular files below the directory that it has open for writing, each counted once.
        package var files: Int
        /// Files below the directory that it has mapped shared and writable, each counted once.
        package var mappedFiles: Int
    }

    /// A process with those of its descendants that have files there as well: they are stopped together.
    package struct Group: Hashable, Sendable {
        package var root: Process
        package var descendants: [Process]

        package var members: [Process] { [root] + descendants }
    }

    package struct Findings: Hashable, Sendable {
        /// By the pid of their roots.
        package var groups: [Group]
        /// Processes that we were not allowed to look into.
        package var hidden: Int
    }

    /// Looks through all processes but our own.
    package static func find(below directory: String) throws(Errno) -> Findings {
        let territory = try WatchedTree(directory)
        var found: [Int32: Process] = [:]
        var parents: [Int32: Int32] = [:]
        var hidden = 0
        for pid in try processes() where pid != getpid() {
            // Nil: it has ended meanwhile.
            guard let stat = try? ProcessStat.read(pid) else { continue }
            parents[pid] = stat.parent
            guard !stat.isDead else { continue }
            do throws(Errno) {
                let scan = try ProcessFiles(of: pid, below: territory)
                if scan.open.isEmpty && scan.mapped.isEmpty { continue }
                // Its successor's files, where the number has changed hands in between.
                guard try ProcessStat.read(pid)?.startTicks == stat.startTicks else { continue }
                found[pid] = Process(
                    pid: pid, startTicks: stat.startTicks, parent: stat.parent, name: name(of: pid), files: scan.open.count,
                    mappedFiles: scan.mapped.count)
            } catch {
                if error.rawValue == EACCES || error.rawValue == EPERM { hidden += 1 }
            }
        }
        return Findings(groups: grouped(found, parents), hidden: hidden)
    }

    /// A process with files below the directory that it has mapped shared and writable; nil: it has none.
    package static func mapping(_ pid: Int32, below directory: String) throws(Errno) -> Process? {
        let files = try ProcessFiles(mappedBy: pid, below: try WatchedTree(directory))
        guard !files.mapped.isEmpty, let stat = try ProcessStat.read(pid) else { return nil }
        return Process(
            pid: pid, startTicks: stat.startTicks, parent: stat.parent, name: name(of: pid), files: 0, mappedFiles: files.mapped.count)
    }

    /// Whether a process has the kernel's end of a FUSE mount open; false where we may not look.
    package static func servesMounts(_ pid: Int32) -> Bool {
        guard let reader = try? DirectoryReader("/proc/\(pid)/fd") else { return false }
        while let entry = try? reader.next() {
            if let link = try? SystemCall.readLink(at: AT_FDCWD, "/proc/\(pid)/fd/\(entry.name)"), String(decoding: link, as: UTF8.self).hasSuffix("/fuse") { return true }
        }
        return false
    }

    /// Puts every process under the topmost found one among its ancestors.
    static func grouped(_ found: [Int32: Process], _ parents: [Int32: Int32]) -> [Group] {
        var members: [Int32: [Process]] = [:]
        for process in found.values {
            var root = process.pid
            var ancestor = process.parent
            var steps = 0
            // Bounded: the snapshot was taken piece by piece and may hold a loop.
            while ancestor > 0, steps < 1000 {
                if found[ancestor] != nil { root = ancestor }
                ancestor = parents[ancestor] ?? 0
                steps += 1
            }
            members[root, default: []].append(process)
        }
        return members.compactMap { root, processes in
            found[root].map { top in
                Group(root: top, descendants: processes.filter { $0.pid != root }.sorted { $0.pid < $1.pid })
            }
        }.sorted { $0.root.pid < $1.root.pid }
    }

    static func processes() throws(Errno) -> [Int32] {
        let reader = try DirectoryReader("/proc")
        var pids: [Int32] = []
        while let entry = try reader.next() {
            if let pid = Int32(entry.name.description), pid > 0 { pids.append(pid) }
        }
        return pids
    }

    static func name(of pid: Int32) -> String {
        let bytes = (try? SystemCall.readAll(path: "/proc/\(pid)/comm", limit: 4096)) ?? []
        return String(decoding: bytes.prefix { $0 != 0x0A }, as: UTF8.self)
    }
}
