internal import AsofCore
internal import CLinux
internal import Glibc

/// Whether we may trace a process. Found out by attaching, since capabilities, user namespaces, Yama and seccomp all have a say; the
/// reasons for a refusal are then read from /proc.
enum PtracePermission {
    static func obstacle(for process: ProcessHandle) -> String? {
        // Attaching alone stops nothing, and only the end of the attaching thread detaches from what has not stopped.
        let target = livingThread(of: process.pid) ?? process.pid
        let result = Lock<(code: Int32, thread: Int32)>((0, 0))
        do throws(Errno) {
            try NamedThread("asof-try-trace", stackSize: 128 << 10) {
                let code = asof_stop_ptrace_try(target)
                let thread = asof_gettid()
                result.withLock { $0 = (code, thread) }
            }.join()
        } catch {
            return "no thread can be started: \(error.text)"
        }
        let (code, thread) = result.withLock { $0 }
        let deadline = ContinuousClock.now + .seconds(2)
        while asof_thread_exists(thread) != 0, ContinuousClock.now < deadline { SystemClock.sleep(.microseconds(20)) }
        return code == 0 ? nil : explanation(Errno(code), process.pid)
    }

    /// A thread that has not ended: the first one may have.
    private static func livingThread(of pid: Int32) -> Int32? {
        guard let reader = try? DirectoryReader("/proc/\(pid)/task") else { return nil }
        while let entry = try? reader.next() {
            guard let bytes = try? SystemCall.readAll(path: "/proc/\(pid)/task/\(entry.name)/stat", limit: 1 << 16),
                let stat = ProcessStat(parsing: bytes), !stat.isDead
            else { continue }
            return Int32(entry.name.description)
        }
        return nil
    }

    private static func explanation(_ error: Errno, _ pid: Int32) -> String {
        let refused = "process \(pid) cannot be traced: \(error.text)"
        guard error.rawValue == EPERM || error.rawValue == EACCES else { return refused }
        if let tracer = field("TracerPid", of: "\(pid)").flatMap({ Int32($0) }), tracer != 0 {
            return "process \(pid) is traced by process \(tracer)"
        }
        // Bit 19 of the effective capabilities.
        let isCapable = field("CapEff", of: "self").flatMap { UInt64($0, radix: 16) }.map { $0 >> 19 & 1 == 1 } ?? false
        if isCapable { return refused + " (a container's seccomp profile or a security module, as we have CAP_SYS_PTRACE)" }
        switch number("/proc/sys/kernel/yama/ptrace_scope") {
        case 3: return refused + " (kernel.yama.ptrace_scope is 3: no tracing until the next boot)"
        case 2: return refused + " (kernel.yama.ptrace_scope is 2: needs CAP_SYS_PTRACE)"
        case 1: return refused + " (kernel.yama.ptrace_scope is 1: needs CAP_SYS_PTRACE for a process that is no child of ours)"
        default: return refused + " (run as the same user as the process, or with CAP_SYS_PTRACE)"
        }
    }

    private static func field(_ name: String, of process: String) -> String? {
        guard let bytes = try? SystemCall.readAll(path: "/proc/\(process)/status", limit: 1 << 16) else { return nil }
        for line in bytes.split(separator: 0x0A) where line.starts(with: Array("\(name):\t".utf8)) {
            return String(decoding: line.dropFirst(name.utf8.count + 2), as: UTF8.self)
        }
        return nil
    }

    private static func number(_ path: String) -> Int? {
        guard let bytes = try? SystemCall.readAll(path: path, limit: 4096) else { return nil }
        return Int(String(decoding: bytes.filter { $0 > 0x20 }, as: UTF8.self))
    }
}
