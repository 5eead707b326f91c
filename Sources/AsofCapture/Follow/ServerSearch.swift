package import AsofCore
package import AsofSystem
internal import Glibc

/// Which process is followed: as the user said it, or the one that has files below the directory open for writing.
package struct ServerSearch: Sendable {
    package enum Rule: Sendable, Hashable {
        /// The one process (with its children) that writes there.
        case writers
        case pid(Int32)
        case pidFile(String)
        /// Every process of a cgroup, by its folder.
        case cgroup(String)
        /// Processes of a program, by its path or name.
        case executable(String)
        /// Nobody is stopped.
        case nobody
    }

    package var rule = Rule.writers
    /// Nil: the best that is possible.
    package var way: StopWay?

    package init() {}

    /// What a search found.
    package struct Found: Sendable {
        package var processes: [ProcessHandle] = []
        /// One of them has files of the directory mapped for writing.
        package var mapped: OpenWriters.Process?
        /// Processes that we may not look into.
        package var hidden = 0
    }

    /// How long what was found is taken for all there is, in nanoseconds: children come, and processes join a cgroup.
    var lifetime: UInt64 {
        switch rule {
        case .cgroup: 1_000_000_000
        case .executable: 2_000_000_000
        case .writers, .pid, .pidFile, .nobody: 15_000_000_000
        }
    }

    /// The processes now; none: there is no server at the moment.
    package func find(below directory: String) throws(AsofError) -> Found {
        switch rule {
        case .nobody: return Found()
        case .pid(let pid): return try family(of: [pid], below: directory)
        case .pidFile(let path):
            guard let bytes = try? SystemCall.readAll(path: path, limit: 64) else { return Found() }
            let digits = bytes.filter { $0 > 0x20 }
            guard let pid = Int32(String(decoding: digits, as: UTF8.self)) else {
                throw AsofError(.failure, "\(path) holds no process number")
            }
            return try family(of: [pid], below: directory)
        case .cgroup(let folder):
            guard let bytes = try? SystemCall.readAll(path: "\(folder)/cgroup.procs", limit: 1 << 20) else { return Found() }
            let pids = bytes.split(separator: 0x0A).compactMap { Int32(String(decoding: $0, as: UTF8.self)) }.filter { $0 != getpid() }
            return Found(processes: handles(pids))
        case .executable(let name): return try family(of: try running(name), below: directory)
        case .writers: return try writers(below: directory)
        }
    }

    private func handles(_ pids: [Int32]) -> [ProcessHandle] { pids.compactMap { try? ProcessHandle(pid: $0) } }

    /// The named processes with those of their children that have files of the directory open.
    private func family(of pids: [Int32], below directory: String) throws(AsofError) -> Found {
        let named = handles(pids)
        guard !named.isEmpty else { return Found() }
        let found = try openWriters(below: directory)
        let members = found.groups.map(\.members).filter { $0.contains { pids.contains($0.pid) } }.joined()
        let others = members.filter { !pids.contains($0.pid) }.compactMap { try? ProcessHandle(pid: $0.pid, startTicks: $0.startTicks) }
        return Found(processes: named + others, mapped: members.first { $0.mappedFiles > 0 }, hidden: found.hidden)
    }

    private func openWriters(below directory: String) throws(AsofError) -> OpenWriters.Findings {
        do throws(Errno) { return try OpenWriters.find(below: directory) } catch { throw AsofError(error, "cannot look through the processes") }
    }

    private func running(_ name: String) throws(AsofError) -> [Int32] {
        var pids: [Int32] = []
        do throws(Errno) {
            let reader = try DirectoryReader("/proc")
            while let entry = try reader.next() {
                guard let pid = Int32(entry.name.description), pid != getpid(),
                    let link = try? SystemCall.readLink(at: AT_FDCWD, "/proc/\(pid)/exe")
                else { continue }
                let path = String(decoding: link, as: UTF8.self)
                if path == name || path.hasSuffix("/" + name) { pids.append(pid) }
            }
        } catch {
            throw AsofError(error, "cannot look through the processes")
        }
        return pids
    }

    private func writers(below directory: String) throws(AsofError) -> Found {
        let found = try openWriters(below: directory)
        guard found.groups.count <= 1 else {
            let names = found.groups.map { "\($0.root.name) (\($0.root.pid))" }.joined(separator: ", ")
            throw AsofError(
                .failure, "several unrelated programs write to \(directory): \(names)",
                hint: "say which one is the server: --pid N, --exe NAME or --cgroup PATH")
        }
        let members = found.groups.first?.members ?? []
        return Found(
            processes: members.compactMap { try? ProcessHandle(pid: $0.pid, startTicks: $0.startTicks) },
            mapped: members.first { $0.mappedFiles > 0 }, hidden: found.hidden)
    }
}
