package import AsofCore
internal import Glibc

/// Who somebody is, so that a later process can tell whether it still runs. Process ids are reused: the start time makes them
/// unique within a boot, and only processes of the same host and process namespace can be looked up at all.
package struct ProcessIdentity: Hashable, Sendable {
    package var pid: Int32
    /// When the process started, in clock ticks since boot: field 22 of /proc/<pid>/stat.
    package var startTicks: UInt64
    package var bootID: String
    /// Host name and, where there is one, machine id.
    package var host: String
    /// Inode number of the process namespace, which containers have their own of.
    package var namespace: UInt64

    package init(pid: Int32, startTicks: UInt64, bootID: String, host: String, namespace: UInt64) {
        self.pid = pid
        self.startTicks = startTicks
        self.bootID = bootID
        self.host = host
        self.namespace = namespace
    }

    package enum Liveness: Hashable, Sendable {
        case alive
        case dead
        /// It ran on another host or in another container: cannot be told from here.
        case unknown
    }

    /// The process that calls.
    package static func current() throws(Errno) -> ProcessIdentity { try of(getpid()) }

    /// The running process `pid`; ESRCH where there is none. A zombie, which only waits to be reaped, is none.
    package static func of(_ pid: Int32) throws(Errno) -> ProcessIdentity {
        guard let process = try ProcessStat.read(pid), !process.isDead else { throw Errno(ESRCH) }
        return ProcessIdentity(
            pid: pid, startTicks: process.startTicks, bootID: try SystemClock.bootIdentifier(), host: hostIdentifier(),
            namespace: try namespaceIdentifier())
    }

    /// Whether the process still runs, as far as this process can know. A zombie is dead.
    package func liveness() throws(Errno) -> Liveness {
        guard host == Self.hostIdentifier() else { return .unknown }
        guard try bootID == SystemClock.bootIdentifier() else { return .dead }
        guard try namespace == Self.namespaceIdentifier() else { return .unknown }
        guard let process = try ProcessStat.read(pid), process.startTicks == startTicks else { return .dead }
        return process.isDead ? .dead : .alive
    }

    /// True unless it is known to be dead: the cautious answer.
    package func isAlive() throws(Errno) -> Bool { try liveness() != .dead }

    /// Host name and machine id of this machine.
    package static func hostIdentifier() -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        _ = gethostname(&buffer, buffer.count - 1)
        let name = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let machine = try? SystemCall.readAll(path: "/etc/machine-id", limit: 4096), !machine.isEmpty else { return name }
        return name + "/" + String(decoding: machine.filter { $0 > 0x20 }, as: UTF8.self)
    }

    /// False in a process namespace of our own: processes outside of it are not even counted.
    package static var seesAllProcesses: Bool { (try? namespaceIdentifier()) == 0xEFFF_FFFC }

    private static func namespaceIdentifier() throws(Errno) -> UInt64 { try SystemCall.status("/proc/self/ns/pid").inode }
}
