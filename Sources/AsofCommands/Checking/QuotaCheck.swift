/// Whether a CPU quota can hold us up in the middle of a stop, from the text of the cgroup's `cpu.max`: `max 100000`, or microseconds of quota and
/// of period.
enum QuotaCheck {
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
