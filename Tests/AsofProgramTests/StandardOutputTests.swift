import AsofSystem
import AsofTestSupport
import Glibc
import Testing

extension ProgramTests {
    /// What cannot be written to standard output is an error, and no quiet one; but nothing ends because nobody reads any more.
    @Suite(.enabled(if: ProgramFixture.canFollow))
    struct StandardOutput {
        let fixture: ProgramFixture
        init() throws {
            fixture = try ProgramFixture()
            try fixture.capture("a")
            try fixture.capture(again: "b")
        }

        @Test(arguments: [
            "log", "log --json", "log --per 1h", "window", "window --json", "status", "backup list", "timeline list --json", "check data", "version", "help --man",
            "log --help", "completions bash", "restore --at latest --to x --validate", "backup create --type base --json",
            "clone --at latest --timeline c", "mount --at latest mnt", "init --repo other", "init -n --repo third", "follow --once --no-stop data",
        ])
        func `that is full ends with an error`(command: String) throws {
            let full = try fixture.shell("asof \(command) > /dev/full")
            #expect(full.code == 1 && full.error.contains("standard output cannot be written: No space left on device"), "\(full)")
        }

        @Test func `that is closed is no file of ours`() throws {
            let closed = try fixture.shell("asof window >&-")
            #expect(closed.code == 1 && closed.error.contains("standard output cannot be written: Bad file descriptor"), "\(closed)")
            let follow = try fixture.shell("echo x > data/new; asof follow --once --no-stop data >&- 2>&- <&-")
            #expect(follow.code == 1)
            #expect(try fixture.run("restore", "--at", "latest", "--to", "out", "-q").code == 0)
            #expect(try fixture.folder.read("out/new") == Array("x\n".utf8))
        }

        @Test(arguments: ["log", "log --json", "window", "help --man"])
        func `that nobody reads any more ends the command, as SIGPIPE would`(command: String) throws {
            let gone = try fixture.shell("{ sleep 0.3; asof \(command); echo $? > code; } | true")
            #expect(gone.error.isEmpty && gone.code == 0, "\(gone)")
            #expect(try fixture.folder.read("code") == Array("141\n".utf8))
        }

        /// The log is as long as the history: what nobody sees need not be read.
        @Test func `that nobody reads any more ends a log at once`() throws {
            for number in 0..<6 { try fixture.capture(again: "more-\(number)") }
            // The last object cannot be read: who goes on to it fails.
            let last = try #require(try fixture.folder.names(in: "repo/timelines/main/segments").last)
            try fixture.folder.write("repo/timelines/main/segments/\(last)", [])
            let gone = try fixture.shell("{ sleep 0.3; asof log --to lsn:1000000 2> said; asof log; echo $? > code; } | true")
            #expect(gone.error.isEmpty, "\(gone)")
            #expect(try fixture.folder.read("code") == Array("141\n".utf8))
        }

        @Test(arguments: [("mkfifo out; true < out & asof follow", "out", 0), ("asof follow", "/dev/full", 1)])
        func `that is gone ends no capture`(command: String, output: String, code: Int) throws {
            let script = """
                \(command) --no-stop --tick 100ms --interval 100ms data > \(output) & P=$!
                sleep 1; echo new > data/new; sleep 1
                asof status | grep -q 'capture     process' && asof restore -q --at latest --to copy > printed && cat copy/new
                kill -TERM $P; wait $P; echo $?
                """
            let seen = try fixture.shell(script)
            #expect(seen.output == "new\n\(code)\n", "\(seen)")
            #expect(seen.error.contains("standard output cannot be written"), "\(seen)")
        }
    }
}
