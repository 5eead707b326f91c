internal import AsofCore
internal import Glibc

/// Why a way of stopping cannot be used, in words for people.
struct StopObstacle: Error, Hashable, Sendable {
    var reason: String
}

/// The cgroup (v2) of processes that can be frozen without freezing ourselves.
final class FreezerCgroup: Sendable {
    /// As /proc/<pid>/cgroup says it.
    let path: String
    /// Where it is mounted.
    let directory: String
    let freeze: SharedDescriptor
    let events: SharedDescriptor

    init(of processes: [ProcessHandle]) throws(StopObstacle) {
        guard let first = processes.first, let path = Self.path(of: first.pid) else {
            throw StopObstacle(reason: "the process has no cgroup of version 2")
        }
        for other in processes where Self.path(of: other.pid) != path {
            throw StopObstacle(reason: "the processes are in different cgroups")
        }
        guard path != "/" else { throw StopObstacle(reason: "the process is in the root cgroup, which cannot be frozen") }
        guard !path.hasPrefix("/..") else { throw StopObstacle(reason: "the process's cgroup is outside of our cgroup namespace") }
        if let ours = Self.path(of: getpid()), ours == path || ours.hasPrefix(path + "/") {
            throw StopObstacle(reason: "asof is in the same cgroup as the process (\(path)): start it outside")
        }
        guard let directory = Self.directory(of: path) else {
            throw StopObstacle(reason: "the file system of cgroups (version 2) is not mounted here")
        }
        self.path = path
        self.directory = directory
        do throws(Errno) {
            // The kernel's own list decides whether this is the cgroup: paths can mean other ones in other namespaces.
            let members = try SystemCall.readAll(path: directory + "/cgroup.procs", limit: 1 << 24)
            let pids = Set(members.split(separator: 0x0A).compactMap { Int32(String(decoding: $0, as: UTF8.self)) })
            for process in processes where !pids.contains(process.pid) {
                throw Errno(ESRCH)
            }
            freeze = SharedDescriptor(try SystemCall.open(directory + "/cgroup.freeze", O_RDWR))
            events = SharedDescriptor(try SystemCall.open(directory + "/cgroup.events", O_RDONLY))
        } catch {
            throw StopObstacle(reason: "\(directory) cannot be frozen: \(error.text)")
        }
    }

    /// The path of a process's cgroup, as seen from our cgroup namespace; nil where there is none.
    static func path(of pid: Int32) -> String? {
        guard let bytes = try? SystemCall.readAll(path: "/proc/\(pid)/cgroup", limit: 1 << 20) else { return nil }
        for line in bytes.split(separator: 0x0A) where line.starts(with: Array("0::".utf8)) {
            return String(decoding: line.dropFirst(3), as: UTF8.self)
        }
        return nil
    }

    static func directory(of path: String) -> String? {
        guard let mounts = try? MountTable(of: "self") else { return nil }
        for mount in mounts.mounts where mount.fileSystem == "cgroup2" {
            let root = String(decoding: mount.root, as: UTF8.self)
            let point = String(decoding: mount.point, as: UTF8.self)
            if root == "/" { return point + path }
            if path == root { return point }
            if path.hasPrefix(root + "/") { return point + path.dropFirst(root.count) }
        }
        return nil
    }
}
