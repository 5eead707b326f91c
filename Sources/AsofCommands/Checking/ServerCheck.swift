internal import AsofCapture
internal import AsofCore
internal import AsofSystem

/// Whether the server is found, and how it would be stopped. Stops nothing.
enum ServerCheck {
    static func run(_ directory: String, _ search: ServerSearch) -> [CheckResult] {
        let subject = "server"
        guard search.rule != .nobody else { return [.weak(subject, "nobody is stopped: states are fuzzy while somebody writes", hint: "leave --no-stop away")] }
        let found: ServerSearch.Found
        do throws(AsofError) { found = try search.find(below: directory) } catch {
            return [.missing(subject, error.message, hint: error.hint ?? "name it with --pid, --exe or --cgroup")]
        }
        var results: [CheckResult] = []
        if found.hidden > 0 {
            results.append(
                .weak("other processes", "\(found.hidden) may not be looked into: were one of them to write here, it would not be stopped", hint: "CAP_SYS_PTRACE and the server's process namespace (shareProcessNamespace) show them; name the server with --exe or --pid"))
        }
        guard let first = found.processes.first else {
            return results + [.weak(subject, "none has files of \(directory) open for writing now", hint: "start it, and check again; follow waits for it")]
        }
        results.append(.ok(subject, "process \(first.pid)\(found.processes.count > 1 ? " and \(found.processes.count - 1) more" : "")"))
        if let mapped = found.mapped {
            results.append(
                .missing("mapped files", "\(mapped.name) (\(mapped.pid)) writes \(mapped.mappedFiles) files through memory: such changes cannot be followed", hint: "`asof record` captures them"))
        }
        return results + ways(found.processes, asked: search.way)
    }

    private static func ways(_ processes: [ProcessHandle], asked: StopWay?) -> [CheckResult] {
        if let asked {
            guard let reason = asked.obstacle(for: processes) else { return [.ok("way of stopping", "\(asked.rawValue), as asked for")] }
            return [.missing("way of stopping", "\(asked.rawValue) is not possible: \(reason)", hint: "leave --stop-by away")]
        }
        let choice = StopWay.best(for: processes)
        let reasons = choice.obstacles.map { "\($0.way.rawValue): \($0.reason)" }.joined(separator: "; ")
        guard let way = choice.way else { return [.missing("way of stopping", "none is possible: \(reasons)", hint: "run as root, or with CAP_SYS_PTRACE")] }
        let finding = reasons.isEmpty ? way.rawValue : "\(way.rawValue) (\(reasons))"
        return [way == .signal ? .weak("way of stopping", finding, hint: "ptrace needs CAP_SYS_PTRACE and the server's process namespace") : .ok("way of stopping", finding)]
    }
}
