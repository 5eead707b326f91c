internal import AsofCommandLine
internal import AsofCore
internal import AsofSystem
internal import Glibc

/// The program: parses its arguments, runs the verb, turns what went wrong into words and an exit code.
public enum Program {
    /// The release, as `asof version` prints it.
    package static let version = "0.1.0"

    /// Runs what this process was started to do, and returns the exit code.
    public static func run() -> Int32 { run(ProcessArguments.afterName) }

    /// Runs a command line and returns the exit code.
    static func run(_ arguments: [String]) -> Int32 {
        // First: a watchdog is this program, and wants as little of it in memory as can be.
        if let code = StopWatchdog.runIfAsked(arguments) { return code }
        SignalWaiter.ignoreFailedWrites()
        StandardDescriptors.fill()
        var environment: [String: String] = [:]
        for name in CommandTree.environmentNames { if let value = getenv(name) { environment[name] = String(cString: value) } }
        if let word = ProcessArguments.unreadable {
            let failure = AsofError(.usage, "\(Printable.quoted(word)) is not text in UTF-8, and would be taken for another name", hint: "rename it, or bind-mount it at a name that is (mount --bind)")
            Console.error(failure, asJSON: arguments.contains("--json"))
            return AsofError.Code.usage.rawValue
        }
        let invocation: Invocation
        do throws(UsageError) {
            invocation = try Parser.parse(CommandTree.root, arguments, environment: environment)
        } catch {
            Console.error(error.failure, usage: error.usage, asJSON: arguments.contains("--json"))
            return AsofError.Code.usage.rawValue
        }
        return StandardOutput.code(endingWith: answer(invocation, arguments), asJSON: invocation.flag("json"))
    }

    private static func answer(_ invocation: Invocation, _ arguments: [String]) -> Int32 {
        switch invocation.purpose {
        case .help:
            Console.write(HelpText.render(CommandTree.root, path: invocation.path, width: Console.columns))
            return 0
        case .manual:
            Console.write(ManualPage.render(CommandTree.root, version: version))
            return 0
        case .run: break
        }
        if endures.contains(invocation.path) { StandardOutput.isByTheWay() }
        do throws(AsofError) {
            return try perform(invocation, arguments)
        } catch {
            // Who closed it knows.
            if error.code != .outputClosed { Console.error(error, asJSON: invocation.flag("json")) }
            return error.code.rawValue
        }
    }

    /// Commands that serve or capture until they are told to end, whoever reads what they print.
    private static let endures: Set<[String]> = [
        ["record"], ["follow"], ["mount"], ["start"], ["internal-serve"], ["internal-keep"], ["internal-execute"],
    ]

    private static func perform(_ invocation: Invocation, _ arguments: [String]) throws(AsofError) -> Int32 {
        NewerTimeline.note(invocation)
        switch invocation.path {
        case ["version"]: try VersionVerb.run(invocation)
        case ["completions"]: try CompletionsVerb.run(invocation)
        case ["init"]: try InitVerb.run(invocation)
        case ["record"]: return try RecordVerb.run(invocation)
        case ["follow"]: return try FollowVerb.run(invocation)
        case ["check"]: return try CheckVerb.run(invocation)
        case ["mount"]: return try MountVerb.run(invocation, arguments)
        case ["internal-serve"]: return ServeVerb.run(invocation)
        case ["internal-keep"]: return KeepVerb.run(invocation)
        case ["internal-execute"]: return ExecuteVerb.run(invocation)
        case ["start"]: return try StartVerb.run(invocation)
        case ["internal-crash-points"]: for name in CrashPointNames.all { Console.write("\(name)\n") }
        case ["umount"]: try UnmountVerb.run(invocation)
        case ["window"]: try WindowVerb.run(invocation)
        case ["status"]: try StatusVerb.run(invocation)
        case ["log"]: try LogVerb.run(invocation)
        case ["restore"], ["backup", "restore"]: return try RestoreVerb.run(invocation)
        case ["diff"]: try DiffVerb.run(invocation)
        case ["promote"]: return try PromoteVerb.run(invocation)
        case ["clone"]: try CloneVerb.run(invocation)
        case ["timeline", "list"]: try TimelineListVerb.run(invocation)
        case ["backup", "create"]: try BackupCreateVerb.run(invocation)
        case ["backup", "list"]: try BackupListVerb.run(invocation)
        default: throw AsofError(.usage, "asof \(invocation.path.joined(separator: " ")) is not a command", hint: "`asof --help` lists them")
        }
        return 0
    }
}

extension CommandTree {
    /// The environment variables that stand in for options.
    static let environmentNames = ["ASOF_REPO", "ASOF_TIMELINE", "ASOF_KEY_FILE", "ASOF_STATE_DIR"]
}
