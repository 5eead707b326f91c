internal import AsofCore
internal import AsofSystem
internal import CLinux
internal import Glibc

/// What is a matter of the machine and not of one directory.
enum MachineCheck {
    static func run() -> [CheckResult] { [clock(isSynchronized: asof_clock_is_synchronized()), fuse(), descriptors(), quota()] }

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
        guard let own = try? SystemCall.readAll(path: "/proc/self/cgroup", limit: 65_536),
            let line = String(decoding: own, as: UTF8.self).split(separator: "\n").first(where: { $0.hasPrefix("0::") })
        else { return QuotaCheck.judge(nil) }
        let text = try? SystemCall.readAll(path: "/sys/fs/cgroup\(line.dropFirst(3))/cpu.max", limit: 4096)
        return QuotaCheck.judge(text.map { String(decoding: $0, as: UTF8.self) })
    }
}
