import AsofCore
import Testing

@testable import AsofCommandLine

@Suite("Parser")
struct ParserTests {
    private func parse(_ line: String..., environment: [String: String] = [:]) throws -> Invocation {
        try Parser.parse(CommandTree.root, line, environment: environment)
    }

    private func failure(_ line: [String], environment: [String: String] = [:]) -> UsageError? {
        do throws(UsageError) {
            _ = try Parser.parse(CommandTree.root, line, environment: environment)
            return nil
        } catch {
            return error
        }
    }

    /// Every way to say the same thing to the same command.
    static let spellings: [[String]] = [
        ["mount", "--at", "-10m", "-r", "/repo", "/mnt"],
        ["mount", "--at=-10m", "-r/repo", "/mnt"],
        ["-r", "/repo", "mount", "/mnt", "--at", "-10m"],
        ["--repo=/repo", "mount", "--time", "-10m", "/mnt"],
        ["-r=/repo", "mount", "--time=-10m", "/mnt", "--"],
        ["mount", "/mnt", "--at", "-10m", "--repo", "/repo"],
    ]

    @Test(arguments: spellings)
    func `options stand anywhere and take what follows`(line: [String]) throws {
        let invocation = try Parser.parse(CommandTree.root, line)
        #expect(invocation.purpose == .run)
        #expect(invocation.path == ["mount"])
        #expect(invocation.value("at") == "-10m")
        #expect(try invocation.when("at") == .relative(nanosecondsBefore: 600_000_000_000))
        #expect(invocation.value("repo") == "/repo")
        #expect(invocation.positional("MOUNTPOINT") == "/mnt")
        #expect(try invocation.argument("MOUNTPOINT") == "/mnt")
        #expect(invocation.rest.isEmpty)
    }

    @Test
    func `an option takes the next argument whatever it looks like`() throws {
        #expect(try parse("-r", "--json", "window").value("repo") == "--json")
        #expect(try parse("-r", "--", "window").value("repo") == "--")
        #expect(try parse("--repo=a=b", "window").value("repo") == "a=b")
        #expect(try parse("--timeline=", "window").value("timeline") == "")
    }

    @Test
    func `letters stand in clusters`() throws {
        let invocation = try parse("-nvvr", "/repo", "window")
        #expect(invocation.flag("dry-run"))
        #expect(invocation.level("verbose") == 2)
        #expect(!invocation.flag("quiet"))
        #expect(invocation.value("repo") == "/repo")
        #expect(try parse("-nr/repo", "window").value("repo") == "/repo")
    }

    @Test
    func `groups lead to commands, aliases to names`() throws {
        #expect(try parse("backup", "create", "--type", "base").path == ["backup", "create"])
        #expect(try parse("backup", "--json", "list").path == ["backup", "list"])
        #expect(try parse("unmount", "/mnt").path == ["umount"])
    }

    @Test
    func `a number of a transaction is a time`() throws {
        #expect(try parse("mount", "--lsn", "120", "/mnt").when("at") == .lsn(LSN(120)))
        #expect(try parse("mount", "--lsn=lsn:120", "/mnt").when("at") == .lsn(LSN(120)))
        #expect(try parse("mount", "/mnt").when("at") == nil)
    }

    @Test
    func `toggles have three states and the last word counts`() throws {
        #expect(try parse("mount", "/mnt").toggle("allow-other") == nil)
        #expect(try parse("mount", "/mnt", "--allow-other").toggle("allow-other") == true)
        #expect(try parse("mount", "/mnt", "--allow-other", "--no-allow-other").toggle("allow-other") == false)
    }

    @Test
    func `values come from the line, then the environment, then the default`() throws {
        let environment = ["ASOF_REPO": "/env", "ASOF_STATE_DIR": ""]
        let quiet = try parse("window", environment: environment)
        #expect(quiet.value("repo") == "/env")
        #expect(quiet.origin(of: "repo") == .environment("ASOF_REPO"))
        #expect(quiet.value("state-dir") == nil, "an empty variable is unset")
        #expect(quiet.value("timeline") == "main")
        #expect(quiet.origin(of: "timeline") == .fallback)
        let said = try parse("window", "-r", "/said", environment: environment)
        #expect(said.value("repo") == "/said")
        #expect(said.origin(of: "repo") == .commandLine)
        #expect(try parse("window").origin(of: "repo") == nil)
    }

    @Test
    func `a key that is named outranks the environment's`() throws {
        let environment = ["ASOF_KEY_FILE": "/env"]
        #expect(try parse("window", environment: environment).value("key-file") == "/env")
        let invocation = try parse("window", "--key-env", "SECRET", environment: environment)
        #expect(invocation.value("key-file") == nil)
        #expect(invocation.value("key-env") == "SECRET")
    }

    @Test
    func `a value that must be there says how to give it`() throws {
        #expect(throws: AsofError.self) { try parse("window").required("repo") }
        do throws(AsofError) {
            _ = try (try? parse("window"))?.required("repo")
            Issue.record("no repository was accepted")
        } catch {
            #expect(error.code == .usage)
            #expect(error.description == "window needs --repo\n  hint: give --repo REPO or set ASOF_REPO")
        }
    }

    @Test
    func `values have types`() throws {
        let invocation = try parse("record", "/data", "/mnt", "--interval", "500ms", "--segment-size", "1M", "--threads", "4")
        #expect(try invocation.duration("interval") == 500_000_000)
        #expect(try invocation.size("segment-size") == 1 << 20)
        #expect(try invocation.size("spool-limit") == 10 << 30)
        #expect(invocation.count("threads") == 4)
        #expect(invocation.positional("BACKING") == "/data")
        #expect(try parse("mount", "--owner", "1:2", "/mnt").owner("owner") == .ids(user: 1, group: 2))
    }

    @Test
    func `what follows the dashes is left alone`() throws {
        let invocation = try parse("internal-serve", "--ready-descriptor", "3", "--", "mount", "--at", "-10m", "--help")
        #expect(invocation.path == ["internal-serve"])
        #expect(invocation.rest == ["mount", "--at", "-10m", "--help"])
        #expect(invocation.count("ready-descriptor") == 3)
        #expect(try parse("umount", "--", "-odd").positional("MOUNTPOINT") == "-odd")
    }

    static let helps: [([String], [String])] = [
        ([], []),
        (["--help"], []),
        (["help"], []),
        (["-h", "mount"], ["mount"]),
        (["mount", "--help"], ["mount"]),
        (["help", "mount"], ["mount"]),
        (["help", "backup", "create"], ["backup", "create"]),
        (["backup", "create", "-h"], ["backup", "create"]),
        (["backup", "--help"], ["backup"]),
        (["mount", "--wrong", "--help"], ["mount"]),
        (["mount", "a", "b", "c", "-nh"], ["mount"]),
        (["help", "unmount"], ["umount"]),
        (["help", "help"], ["help"]),
        (["nonsense", "--help"], []),
    ]

    @Test(arguments: helps)
    func `help can be asked for anywhere`(line: [String], path: [String]) throws {
        let invocation = try Parser.parse(CommandTree.root, line)
        #expect(invocation.purpose == .help)
        #expect(invocation.path == path)
    }

    @Test
    func `help beyond the dashes is an argument`() {
        #expect(failure(["mount", "--wrong", "--", "--help"]) != nil)
    }

    @Test
    func `the version and the manual can be asked for`() throws {
        #expect(try parse("--version").path == ["version"])
        #expect(try parse("mount", "--version").path == ["version"])
        #expect(try parse("version").path == ["version"])
        #expect(try parse("version", "--json").flag("json"))
        #expect(try parse("help", "--man").purpose == .manual)
    }

    /// Line, message, hint.
    static let refusals: [([String], String, String?)] = [
        (["moutn", "/mnt"], "asof has no command 'moutn'", "did you mean asof mount?"),
        (["mnt"], "asof has no command 'mnt'", "did you mean asof mount?"),
        (["back"], "asof has no command 'back'", "did you mean asof backup?"),
        (["qqqqqq"], "asof has no command 'qqqqqq'", "`asof --help` lists the commands"),
        (["backup", "crate"], "asof backup has no command 'crate'", "did you mean asof backup create?"),
        (["backup", "x"], "asof backup has no command 'x'", "`asof backup --help` lists the commands"),
        (["help", "moutn"], "asof has no command 'moutn'", "did you mean asof mount?"),
        (["help", "mount", "more"], "there is no command 'mount more'", "`asof --help` lists the commands"),
        (["backup"], "asof backup needs a command", "one of create, list, restore"),
        (["--json"], "asof needs a command", nil),
        (["window", "--jsno"], "unknown option '--jsno'", "did you mean --json?"),
        (["window", "--Repo=x"], "unknown option '--Repo'", "did you mean --repo?"),
        (["mount", "--tme", "x", "/mnt"], "unknown option '--tme'", "did you mean --time?"),
        (
            ["--at", "-10m", "mount", "/m"], "unknown option '--at'",
            "it belongs to asof mount, asof start, asof restore, asof backup restore, asof clone: write it after the command's name"
        ),
        (["window", "-z"], "unknown option '-z'", nil),
        (["mount", "-10m", "/mnt"], "unknown option '-1'", "a time follows its option: --at -10m"),
        (["window", "--json=yes"], "--json takes no value", nil),
        (["window", "--repo"], "--repo needs a value", "write --repo REPO"),
        (["window", "-r"], "-r needs a value", "write -r REPO"),
        (["window", "-r", "a", "--repo", "b"], "--repo was given twice", "give it once: two answers to one question are a slip"),
        (
            ["mount", "--at", "latest", "--lsn", "3", "/m"], "--at was given twice",
            "give it once: two answers to one question are a slip"
        ),
        (["mount"], "missing MOUNTPOINT", "MOUNTPOINT: An empty folder; with CMD any folder, or none."),
        (["record", "/data"], "missing MOUNTPOINT", "MOUNTPOINT: An empty folder: where the server is to work."),
        (["mount", "a", "b"], "one argument too many: 'b'", "a name with spaces needs quotes"),
        (["window", "x"], "one argument too many: 'x'", "a name with spaces needs quotes"),
        (["umount", ""], "MOUNTPOINT: the path is empty", nil),
        (["window", "-qv"], "--quiet and --verbose exclude each other", "give one of the two"),
        (["init", "--key-file", "a", "--key-env", "b"], "--key-file and --key-env exclude each other", "give one of the two"),
        (["completions", "bahs"], "SHELL: 'bahs' is not one of bash, zsh, fish", "did you mean bash?"),
        (["backup", "create", "--type", "full"], "--type: 'full' is not one of base, incremental", nil),
        (
            ["record", "a", "b", "--interval", "10"], "--interval: '10' has no unit",
            "write 10s for seconds; units are ms, s, m, h and d"
        ),
        (["record", "a", "b", "--interval", "0s"], "--interval: '0s' is out of range", "write a value between 100ms and 1d"),
        (["record", "a", "b", "--threads", "0"], "--threads: '0' is out of range", "write a value between 1 and 256"),
        (["record", "a", "b", "--threads", "-1"], "--threads: '-1' is not a whole number", "write 1"),
        (["mount", "--cache", "1", "/m"], "--cache: '1' is out of range", "write a value between 1MiB and 1TiB"),
        (
            ["mount", "--at", "2026-11-23T10:30:00", "/m"], "--at: '2026-11-23T10:30:00' has no zone",
            "write 2026-11-23T10:30:00Z (UTC) or 2026-11-23T10:30:00+01:00"
        ),
        (
            ["verify"], "there is no asof verify in this release",
            "asof mount checks every frame it reads; asof window shows what is there"
        ),
    ]

    @Test(arguments: refusals)
    func `says what is wrong and what was probably meant`(line: [String], message: String, hint: String?) throws {
        let error = try #require(failure(line), "\(line) was accepted")
        #expect(error.message == message)
        if let hint { #expect(error.hint == hint) }
        #expect(error.usage.hasPrefix("asof"))
        #expect(error.failure.code == .usage)
    }

    @Test
    func `prints the usage line of the command that was meant`() {
        #expect(
            failure(["mount"])?.description
                == "missing MOUNTPOINT\n  usage: asof mount [options] [MOUNTPOINT] [-- CMD...]\n  hint: MOUNTPOINT: An empty folder; with CMD any folder, or none.")
        #expect(failure(["window", "-z"])?.description == "unknown option '-z'\n  usage: asof window")
    }

    @Test
    func `a variable with a bad value is named`() {
        let tree = Command(
            "asof", summary: "",
            options: [.value("every", "DURATION", .duration(), environment: "EVERY", help: "")],
            subcommands: [Command("run", summary: "")])
        #expect(throws: UsageError.self) { try Parser.parse(tree, ["run"], environment: ["EVERY": "often"]) }
        do throws(UsageError) {
            _ = try Parser.parse(tree, ["run"], environment: ["EVERY": "often"])
        } catch {
            #expect(error.message == "EVERY: 'often' is not a duration")
        }
    }

    @Test
    func `terminal controls in a wrong word are not repeated`() throws {
        let message = try #require(failure(["\u{1B}[2J\u{202E}x"])).description
        #expect(message.contains("\\u{1b}[2J\\u{202e}x"))
        #expect(!message.unicodeScalars.contains("\u{1B}"))
    }

    @Test
    func `ten megabytes are refused in few words`() throws {
        let huge = String(repeating: "ä", count: 5_000_000)
        for line in [[huge], ["--" + huge], ["-" + huge], ["window", huge], ["mount", "--at", huge, "/m"], ["--json=" + huge]] {
            let error = try #require(failure(line))
            #expect(error.description.utf8.count < 600)
        }
        #expect(try parse("mount", huge).positional("MOUNTPOINT") == huge)
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `any line is understood or refused`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let words = [
            "mount", "record", "backup", "create", "list", "help", "window", "log", "--at", "--at=latest", "-10m", "--", "-", "",
            "--json",
            "-nq", "-r", "--repo", "/x", "--help", "-h", "--version", "--lsn", "12", "--=", "---", "--no-allow-other", "-é",
            "umount",
            "completions", "bash", "--man", "internal-serve", "--no-json", "=", "\u{0}",
        ]
        for _ in 0..<5000 {
            let line = (0..<Int.random(in: 0...7, using: &random)).map { _ in words[.random(in: 0..<words.count, using: &random)]
            }
            do throws(UsageError) {
                let invocation = try Parser.parse(CommandTree.root, line)
                #expect(CommandTree.root.chain(invocation.path).count == invocation.path.count + 1, "seed \(seed): \(line)")
            } catch {
                #expect(!error.message.isEmpty && !error.usage.isEmpty, "seed \(seed): \(line)")
            }
        }
    }
}
