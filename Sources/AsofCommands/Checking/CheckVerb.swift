internal import AsofCommandLine
internal import AsofCore
internal import AsofSystem

/// `asof check`: what would stop or weaken following a directory on this machine. Changes nothing.
enum CheckVerb {
    private struct Answer: Encodable {
        var verdict: CheckResult.Verdict
        var checks: [CheckResult]
    }

    static func run(_ invocation: Invocation) throws(AsofError) -> Int32 {
        let status = (try? SystemCall.readAll(path: "/proc/self/status", limit: 1 << 16)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        var results = CapabilityCheck.judge(status: status) + MachineCheck.run(status: status)
        let directory = invocation.positional("DIR").map(Session.absolute)
        if let directory {
            results += FileSystemCheck.run(directory)
            if let real = try? SystemCall.realPath(directory) {
                results.append(LayoutCheck.run(real))
                results += WatchCheck.run(real, by: invocation.value("watch-by").flatMap { WatchKind(rawValue: $0) })
                results += ServerCheck.run(real, try FollowVerb.search(invocation))
            }
        }
        results += RepositoryCheck.run(invocation, directory: directory.flatMap { try? SystemCall.realPath($0) })
        let verdict = results.map(\.verdict).max() ?? .ok
        if invocation.flag("json") {
            try Console.json(Answer(verdict: verdict, checks: results))
        } else {
            for result in results { show(result) }
        }
        return verdict == .missing ? AsofError.Code.incomplete.rawValue : 0
    }

    private static func show(_ result: CheckResult) {
        func padded(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(1, width - text.count)) }
        Console.line("\(padded(result.verdict.rawValue, 9))\(padded(result.subject, 22))\(result.finding)")
        if let hint = result.hint { Console.line("\(padded("", 9))\(padded("", 22))→ \(hint)") }
    }
}
