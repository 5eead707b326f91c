import AsofCore
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

/// `Tests/Fixtures/busy-server.c` at work, in a directory of its own; killed with its last reference.
final class StoppingServer: Sendable {
    /// Places in its page.
    enum Counter: Int {
        case ready, signals, churned, vforked, child, resting
        case first = 8
    }

    let directory: TemporaryDirectory
    let child: ChildProcess
    let handle: ProcessHandle
    private let threads: Int
    private let page: SharedDescriptor

    init(threads: Int = 8, modes: [String] = [], cgroup: String? = nil) throws {
        directory = try TemporaryDirectory("stopping")
        self.threads = threads
        let program = directory.path("busy-server")
        let source = #filePath.split(separator: "/").dropLast(2).map { "/" + $0 }.joined() + "/Fixtures/busy-server.c"
        let compilers: [String] = ["/usr/bin/cc", "/usr/bin/gcc", "/usr/bin/clang"]
        let compiler = try #require(compilers.first { access($0, X_OK) == 0 })
        let compiling = try ChildProcess.spawn(compiler, arguments: ["cc", "-O1", "-pthread", "-o", program, source])
        try #require(try compiling.wait() == .exited(0))
        child = try ChildProcess.spawn(
            program, arguments: ["busy-server", directory.path, String(threads), "120"] + modes, output: .null)
        handle = try ProcessHandle(pid: child.pid)
        if let cgroup { try Self.write(cgroup + "/cgroup.procs", String(child.pid)) }
        let deadline = ContinuousClock.now + .seconds(20)
        var opened: SharedDescriptor?
        while ContinuousClock.now < deadline, opened == nil {
            opened = try? SharedDescriptor(SystemCall.open(directory.path("page"), O_RDONLY))
            SystemClock.sleep(.milliseconds(2))
        }
        page = try #require(opened)
        while try self[.ready] == 0 {
            try #require(ContinuousClock.now < deadline)
            SystemClock.sleep(.milliseconds(2))
        }
    }

    deinit {
        try? child.kill(SIGKILL)
        _ = try? child.wait()
    }

    subscript(_ counter: Counter) -> UInt64 {
        get throws { try words()[counter.rawValue] }
    }

    /// All that moves while it runs: its page, and the size of its log.
    func progress() throws -> [UInt64] { try words() + [SystemCall.status(directory.path("log")).attributes.size] }

    /// Whether every counting thread moves within the time.
    func isRunning(within time: Duration = .seconds(10)) throws -> Bool {
        let before = try words()
        let deadline = ContinuousClock.now + time
        while ContinuousClock.now < deadline {
            SystemClock.sleep(.milliseconds(2))
            let now = try words()
            let counters = Counter.first.rawValue..<(Counter.first.rawValue + threads)
            if counters.allSatisfy({ now[$0] != before[$0] }) { return true }
        }
        return false
    }

    private func words() throws -> [UInt64] {
        let length = 8 * (Counter.first.rawValue + threads)
        var bytes = try SystemCall.readFully(page.unmanaged, at: 0, length: length)
        // Not yet as long as it will be.
        bytes += [UInt8](repeating: 0, count: length - bytes.count)
        return bytes.withUnsafeBytes { raw in (0..<(raw.count / 8)).map { raw.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self) } }
    }

    static func write(_ path: String, _ text: String) throws {
        let file = try SystemCall.open(path, O_WRONLY)
        try SystemCall.writeFully(file.raw, Array(text.utf8))
    }

    /// Fields of /proc/<pid>/task/*/status of all threads that have the field.
    func threadFields(_ name: String) throws -> [String] {
        let reader = try DirectoryReader("/proc/\(child.pid)/task")
        var values: [String] = []
        while let entry = try reader.next() {
            guard let bytes = try? SystemCall.readAll(path: "/proc/\(child.pid)/task/\(entry.name)/status") else { continue }
            for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") where line.hasPrefix(name + ":\t") {
                values.append(String(line.dropFirst(name.count + 2)))
            }
        }
        return values
    }
}

/// A cgroup of version 2 for one test; gone with its last reference.
final class TemporaryCgroup: Sendable {
    let path: String

    /// Nil where this machine gives us none.
    init?() {
        guard let mounts = try? SystemCall.readAll(path: "/proc/self/mountinfo") else { return nil }
        let lines = String(decoding: mounts, as: UTF8.self).split(separator: "\n")
        guard let point = lines.first(where: { $0.contains(" - cgroup2 ") })?.split(separator: " ")[4] else { return nil }
        path = point + "/asof-test-" + String(UInt64.random(in: .min ... .max), radix: 36)
        guard (try? SystemCall.makeDirectory(path, mode: 0o755)) != nil else { return nil }
        guard access(path + "/cgroup.freeze", W_OK) == 0 else {
            try? SystemCall.removeDirectory(path)
            return nil
        }
    }

    deinit {
        try? StoppingServer.write(path + "/cgroup.freeze", "0")
        // A member that was killed takes a moment to leave.
        for _ in 0..<500 where (try? SystemCall.removeDirectory(path)) == nil { SystemClock.sleep(.milliseconds(4)) }
    }
}

/// What a test of one way needs: a server that can be stopped that way.
final class StoppingStage: Sendable {
    // In the order in which they must go: the server before its cgroup.
    let server: StoppingServer
    private let cgroup: TemporaryCgroup?
    let way: StopWay

    /// Nil, said loudly, where the machine does not allow the way.
    init?(_ way: StopWay, threads: Int = 8, churn: Bool = false, vfork: Bool = false, fork: Bool = false, headless: Bool = false) throws {
        let cgroup = way == .cgroup ? TemporaryCgroup() : nil
        if way == .cgroup, cgroup == nil {
            print("SKIPPED: no writable cgroup of version 2 on this machine, so the freezer is not tested")
            return nil
        }
        var modes: [String] = []
        if churn { modes.append("churn") }
        if vfork { modes.append("vfork") }
        if fork { modes.append("fork") }
        if headless { modes.append("headless") }
        let server = try StoppingServer(threads: threads, modes: modes, cgroup: cgroup?.path)
        if let reason = way.obstacle(for: [server.handle]) {
            print("SKIPPED: \(way) is not possible on this machine: \(reason)")
            return nil
        }
        self.cgroup = cgroup
        self.server = server
        self.way = way
    }

    deinit {
        try? StoppingServer.write((cgroup?.path ?? "/nonexistent") + "/cgroup.freeze", "0")
        try? server.child.kill(SIGKILL)
        _ = try? server.child.wait()
    }

    /// The cgroup's directory, for the way that has one.
    var cgroupPath: String? { cgroup?.path }

    func stopper(longestHold: Duration = .seconds(1)) throws -> any ProcessStopper {
        try way.stopper(for: [server.handle], longestHold: longestHold, executable: Self.program)
    }

    /// The program beside the test executable: a test executable cannot be a watchdog.
    static let program: String = {
        let own = (try? SystemCall.readLink(at: AT_FDCWD, "/proc/self/exe")).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return own.split(separator: "/").dropLast().map { "/" + $0 }.joined() + "/asof"
    }()
}
