/// Whether a CPU quota can hold us up in the middle of a stop, from the text of the cgroup's `cpu.max`: `max 100000`, or microseconds of quota and
/// of period. A group is held up by the quotas of those above it as by its own.
enum QuotaCheck {
    /// The tightest of them; what cannot be read is not hidden by a good one.
    static func judge(all texts: [String]) -> CheckResult {
        let all = texts.map { (text: $0, result: judge($0)) }
        guard let worst = all.max(by: { $0.result.verdict < $1.result.verdict })?.result, worst.verdict != .ok else {
            return all.last { !$0.text.hasPrefix("max") }?.result ?? judge(texts.first)
        }
        return all.filter { $0.result.verdict == worst.verdict }.min { share($0.text) < share($1.text) }?.result ?? worst
    }

    private static func share(_ text: String) -> Double {
        let fields = text.split(whereSeparator: \.isWhitespace).map { Double($0) ?? 0 }
        return fields.count == 2 && fields[1] > 0 ? fields[0] / fields[1] : 0
    }

    /// Of cgroup v1, as cpu.max would say it: cpu.cfs_quota_us (-1: none) and cpu.cfs_period_us.
    static func text(quota: String, period: String) -> String {
        let trimmed = quota.filter { !$0.isWhitespace }
        return "\(trimmed == "-1" ? "max" : trimmed) \(period)"
    }

    static func judge(_ text: String?) -> CheckResult {
        guard let text else { return .ok("CPU quota", "none that can be seen") }
        let fields = text.split(whereSeparator: \.isWhitespace)
        guard fields.count == 2, let period = UInt64(fields[1]), period > 0 else { return .weak("CPU quota", "cpu.max says “\(text.prefix(40))”", hint: "look at it") }
        guard fields[0] != "max" else { return .ok("CPU quota", "none") }
        guard let quota = UInt64(fields[0]) else { return .weak("CPU quota", "cpu.max says “\(text.prefix(40))”", hint: "look at it") }
        let percent = quota.multipliedReportingOverflow(by: 100).overflow ? UInt64.max : quota * 100 / period
        guard percent < 100 else { return .ok("CPU quota", "\(percent) % of a core") }
        return .weak(
            "CPU quota", "\(percent) % of a core: once it is used up inside a stop, the server stands still for the rest of the period (\(period / 1000) ms)",
            hint: "give asof no CPU limit, or one of a core at least; a weight (cpu.weight, requests) does no harm")
    }
}
