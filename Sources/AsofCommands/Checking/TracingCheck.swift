/// Whether the kernel lets a process that is no child of ours be traced, from the text of `kernel.yama.ptrace_scope`; nil: there is no Yama.
enum TracingCheck {
    static func judge(_ text: String?, isCapable: Bool) -> CheckResult {
        let subject = "tracing"
        guard let text else { return .ok(subject, "no Yama here to restrict it") }
        let scope = text.filter { !$0.isWhitespace }
        let finding = "kernel.yama.ptrace_scope is \(scope)"
        switch scope {
        case "0": return .ok(subject, finding)
        case "1", "2":
            guard !isCapable else { return .ok(subject, "\(finding); CAP_SYS_PTRACE is held") }
            return .weak(subject, "\(finding): only with CAP_SYS_PTRACE", hint: "give asof that capability, or set kernel.yama.ptrace_scope to 0")
        case "3": return .weak(subject, "\(finding): nobody may trace until the next boot", hint: "set it to 1 for the next boot; until then give asof the right to freeze the server's cgroup")
        default: return .weak(subject, "kernel.yama.ptrace_scope says “\(scope.prefix(40))”", hint: "look at it")
        }
    }
}
