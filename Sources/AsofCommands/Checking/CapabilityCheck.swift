/// Which capabilities the process has, from the text of /proc/self/status, and what each is for.
enum CapabilityCheck {
    struct Need {
        var name: String
        /// Its number in capabilities(7).
        var bit: Int
        var purpose: String
        /// Without it following does not work at all, unless something else serves.
        var isVital: Bool
    }

    static let needs: [Need] = [
        Need(name: "CAP_DAC_READ_SEARCH", bit: 2, purpose: "open files by their handles", isVital: true),
        Need(name: "CAP_SYS_PTRACE", bit: 19, purpose: "find the server's open files and stop it", isVital: false),
        Need(name: "CAP_SYS_ADMIN", bit: 21, purpose: "watch by fanotify, and mount without fusermount3", isVital: false),
        Need(name: "CAP_KILL", bit: 5, purpose: "stop a server of another user by a signal", isVital: false),
        Need(name: "CAP_SYS_NICE", bit: 23, purpose: "run before others while the server stands still", isVital: false),
        Need(name: "CAP_IPC_LOCK", bit: 14, purpose: "keep what a stop needs in memory", isVital: false),
        Need(name: "CAP_LEASE", bit: 28, purpose: "tell whether somebody has a quiet directory's file open", isVital: false),
        Need(name: "CAP_SYS_RESOURCE", bit: 24, purpose: "keep the watchdog from the out-of-memory killer", isVital: false),
    ]

    static func judge(status text: String) -> [CheckResult] {
        guard let effective = effective(in: text) else {
            return [.weak("capabilities", "/proc/self/status says nothing of them", hint: "is /proc mounted here?")]
        }
        return needs.map { need in
            if effective >> UInt64(need.bit) & 1 == 1 { return .ok(need.name, "held, to \(need.purpose)") }
            let finding = "not held; it is needed to \(need.purpose)"
            let hint = "run as root, or give it: AmbientCapabilities=\(need.name) for systemd, capabilities.add for a container"
            return need.isVital ? .missing(need.name, finding, hint: hint) : .weak(need.name, finding, hint: hint)
        }
    }

    /// Bit by bit, as `Need.bit` counts; nil: the text does not say.
    static func effective(in text: String) -> UInt64? {
        for line in text.split(separator: "\n") where line.hasPrefix("CapEff:") {
            return UInt64(line.dropFirst(7).filter { !$0.isWhitespace }, radix: 16)
        }
        return nil
    }
}
