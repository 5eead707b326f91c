internal import AsofCommandLine
internal import AsofCore
internal import AsofSystem
internal import CLinux
internal import Glibc

/// What is a matter of the machine and not of one directory.
enum MachineCheck {
    /// `status`: the text of /proc/self/status.
    static func run(status: String) -> [CheckResult] {
        let held = CapabilityCheck.effective(in: status) ?? 0
        return [
            TracingCheck.judge(text("/proc/sys/kernel/yama/ptrace_scope"), isCapable: held >> 19 & 1 == 1),
            clock(isSynchronized: asof_clock_is_synchronized()), fuse(), descriptors(), lockedMemory(lockedMemoryLimit, isCapable: held >> 14 & 1 == 1), quota(),
        ]
    }

    private static func text(_ path: String) -> String? {
        (try? SystemCall.readAll(path: path, limit: 65_536)).map { String(decoding: $0, as: UTF8.self) }
    }

    /// What one that may be told so must be able to keep in memory for a stop.
    private static let lockedMemoryWanted: UInt64 = 64 << 20

    /// Bytes that may be locked; nil: no limit.
    private static var lockedMemoryLimit: UInt64? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(__RLIMIT_MEMLOCK.rawValue), &limit) == 0, limit.rlim_cur != rlim_t.max else { return nil }
        return UInt64(limit.rlim_cur)
    }

    static func lockedMemory(_ limit: UInt64?, isCapable: Bool) -> CheckResult {
        guard !isCapable, let limit, limit < lockedMemoryWanted else { return .ok("locked memory", isCapable ? "as much as is needed" : limit.map { "up to \(HumanFormat.bytes($0))" } ?? "no limit") }
        return .weak(
            "locked memory", "at most \(HumanFormat.bytes(limit)): what a stop needs may have to be read from the disk within it",
            hint: "LimitMEMLOCK=infinity for systemd, ulimits memlock for a container, or CAP_IPC_LOCK")
    }

    /// 1: yes, 0: no, anything else: unknown.
    static func clock(isSynchronized: Int32) -> CheckResult {
        switch isSynchronized {
        case 1: .ok("clock", "synchronised")
        case 0: .weak("clock", "nobody keeps it right: states carry its times", hint: "run chrony or systemd-timesyncd on the host")
        default: .weak("clock", "it cannot be told whether somebody keeps it right", hint: "look at `timedatectl` on the host")
        }
    }

    private static func fuse() -> CheckResult {
        guard let device = try? SystemCall.open("/dev/fuse", O_RDWR) else {
            return .weak("FUSE", "/dev/fuse cannot be opened: nothing can be mounted here; following needs none of it", hint: "modprobe fuse, or give the container /dev/fuse")
        }
        _ = device.raw
        return .ok("FUSE", "/dev/fuse can be opened")
    }

    private static func descriptors() -> CheckResult {
        guard let limit = try? SystemCall.raiseDescriptorLimit() else { return .weak("open files", "the limit cannot be read", hint: "look at `ulimit -n`") }
        return limit >= 4096
            ? .ok("open files", "up to \(limit)")
            : .weak("open files", "only \(limit) at a time", hint: "LimitNOFILE=65536 for systemd, ulimit -n 65536 in a shell")
    }

    private static func quota() -> CheckResult {
        var texts: [String] = []
        for line in (text("/proc/self/cgroup") ?? "").split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let isSecond = fields[1].isEmpty
            guard isSecond || fields[1].split(separator: ",").contains("cpu") else { continue }
            var group = "/sys/fs/cgroup" + (isSecond ? "" : "/\(fields[1])") + (fields[2] == "/" ? "" : String(fields[2]))
            // The root has none; in a container's namespace our own group looks like it.
            while group.hasPrefix("/sys/fs/cgroup"), group != "/sys/fs" {
                if let found = text("\(group)/cpu.max") {
                    texts.append(found)
                } else if let quota = text("\(group)/cpu.cfs_quota_us"), let period = text("\(group)/cpu.cfs_period_us") {
                    texts.append(QuotaCheck.text(quota: quota, period: period))
                }
                guard let slash = group.lastIndex(of: "/") else { break }
                group = String(group[..<slash])
            }
        }
        return QuotaCheck.judge(all: texts)
    }
}
