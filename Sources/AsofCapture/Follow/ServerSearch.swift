internal import AsofCore
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

    /// The processes now; none: there is no server at the moment.
    func processes(below directory: String) throws(AsofError) -> [ProcessHandle] {
        switch rule {
        case .nobody: return []
        case .pid(let pid): return handles([pid])
        case .pidFile(let path):
            guard let bytes = try? SystemCall.readAll(path: path, limit: 64) else { return [] }
            let digits = bytes.filter { $0 > 0x20 }
            guard let pid = Int32(String(decoding: digits, as: UTF8.self)) else {
                throw AsofError(.failure, "\(path) holds no process number")
            }
            return handles([pid])
        case .cgroup(let folder):
            guard let bytes = try? SystemCall.readAll(path: "\(folder)/cgroup.procs", limit: 1 << 20) else { return [] }
            return handles(bytes.split(separator: 0x0A).compactMap { Int32(String(decoding: $0, as: UTF8.self)) }.filter { $0 != getpid() })
        case .executable(let name): return handles(try running(name))
        case .writers: return try writers(below: directory)
        }
    }

    private func handles(_ pids: [Int32]) -> [ProcessHandle] { pids.compactMap { try? ProcessHandle(pid: $0) } }

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

    private func writers(below directory: String) throws(AsofError) -> [ProcessHandle] {
        let found: OpenWriters.Findings
        do throws(Errno) { found = try OpenWriters.find(below: directory) } catch { throw AsofError(error, "cannot look through the processes") }
        guard found.groups.count <= 1 else {
            let names = found.groups.map { "\($0.root.name) (\($0.root.pid))" }.joined(separator: ", ")
            throw AsofError(
                .failure, "several unrelated programs write to \(directory): \(names)",
                hint: "say which one is the server: --pid N, --exe NAME or --cgroup PATH")
        }
        if let mapped = found.groups.first?.members.first(where: { $0.mappedFiles > 0 }) {
            throw AsofError(
                .failure, "\(mapped.name) (\(mapped.pid)) has files of \(directory) mapped for writing: such changes cannot be followed",
                hint: "`asof record` captures them")
        }
        return found.groups.first?.members.compactMap { try? ProcessHandle(pid: $0.pid, startTicks: $0.startTicks) } ?? []
    }
}
