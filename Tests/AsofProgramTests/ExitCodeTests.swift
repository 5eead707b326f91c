import AsofSystem
import AsofTestSupport
import Glibc
import Testing

extension ProgramTests {
    /// What `docs/operations.md` promises of exit codes, each with a hint where something can be done.
    @Suite(.enabled(if: ProgramFixture.canFollow))
    struct ExitCodes {
        let fixture: ProgramFixture
        init() throws { fixture = try ProgramFixture() }

        @Test func `10: no repository is named, or there is none`() throws {
            for command in ["window", "status", "log"] {
                let unnamed = try fixture.run(command, repository: nil)
                #expect(unnamed.code == 10 && unnamed.error.contains("ASOF_REPO"), "\(unnamed)")
                #expect(try fixture.run(command).code == 10)
            }
            try fixture.capture("a")
            let mistyped = try fixture.run("window", "--timeline", "mian")
            #expect(mistyped.code == 10 && mistyped.error.contains("`asof timeline list`"), "\(mistyped)")
            #expect(try fixture.run("init", "-n", repository: nil).code == 10)
        }

        @Test func `11: a mount in use is not taken away, a timeline that is captured not captured twice`() throws {
            try fixture.capture("a")
            #expect(try fixture.run("mount", "--at", "latest", "mnt").code == 0)
            do {
                let user = try SystemCall.open(fixture.folder.path("mnt/a"), O_RDONLY)
                let busy = try fixture.run("umount", "mnt")
                #expect(busy.code == 11 && busy.error.contains("--lazy"), "\(busy)")
                withExtendedLifetime(user) {}
            }
            #expect(try fixture.run("umount", "mnt").code == 0)
            let capture = try fixture.start("follow", "--no-stop", "data")
            #expect(try fixture.run("follow", "--once", "--no-stop", "data").code == 11)
            #expect(try fixture.run("follow", "--once", "--no-stop", "--state-dir", "other", "data").code == 11)
            try capture.stop()
        }

        @Test func `11: nothing is mounted over a directory that is captured`() throws {
            #expect(try fixture.run("init", "-q").code == 0)
            let capture = try fixture.start("follow", "--no-stop", "data")
            let refused = try fixture.run("mount", "--at", "latest", "data")
            #expect(refused.code == 11 && refused.error.contains("is being captured"), "\(refused)")
            try capture.stop()
        }

        @Test func `1: a folder that is not there, with what to do`() throws {
            try fixture.capture("a")
            for refused in [try fixture.run("mount", "--at", "latest", "nowhere"), try fixture.run("follow", "--once", "nowhere"), try fixture.run("record", "nowhere", "mnt")] {
                #expect(refused.code == 1 && refused.error.contains("nowhere: No such file or directory") && refused.error.contains("make the folder first"), "\(refused)")
            }
            let unknown = try fixture.run("diff", "nowhere")
            #expect(unknown.code == 1 && unknown.error.contains("nowhere: No such file or directory") && unknown.error.contains("`asof status` lists"), "\(unknown)")
        }

        @Test func `1: a limit on the size of files is an error, and no end without a word`() throws {
            try fixture.folder.write("data/large", [UInt8](repeating: 7, count: 200_000))
            try fixture.capture("a")
            let limited = try fixture.shell("ulimit -f 64; asof restore --at latest --to out")
            #expect(limited.code == 1 && limited.error.contains("large: File too large"), "\(limited)")
            #expect(try fixture.run("restore", "--at", "latest", "--to", "out").code == 0)
            // A command of its own is ended by it, as anywhere.
            let command = try fixture.shell("ulimit -f 64; asof mount --at latest -q -- sh -c 'head -c 100000 /dev/zero > big'")
            #expect(command.code == 128 + SIGXFSZ, "\(command)")
        }

        @Test func `1: a file is not captured`() throws {
            try fixture.capture("a")
            for refused in [try fixture.run("follow", "--once", "data/a"), try fixture.run("record", "data/a", "mnt")] {
                #expect(refused.code == 1 && refused.error.contains("data/a is not a directory"), "\(refused)")
            }
        }

        @Test func `1: record without its control socket leaves no mount`() throws {
            try fixture.capture("a")
            // Neither bound nor removed.
            try Durable.makeDirectories(fixture.folder.path("spool/control.sock/held"))
            let refused = try fixture.run("record", "--spool", "spool", "data", "mnt")
            #expect(refused.code == 1 && refused.error.contains("cannot listen at"), "\(refused)")
            #expect(try fixture.folder.names(in: "mnt").isEmpty)
        }

        @Test func `12: a key is missing or another`() throws {
            try fixture.folder.write("key", Array(String(repeating: "0a", count: 32).utf8))
            try fixture.folder.write("other", Array(String(repeating: "0b", count: 32).utf8))
            #expect(try fixture.run("init", "-q", "--key-file", "key").code == 0)
            #expect(try fixture.run("window").code == 12)
            #expect(try fixture.run("window", "--key-file", "other").code == 12)
            #expect(try fixture.run("window", "--key-file", "nowhere").code == 12)
            // From a pipe, as password managers give one: it cannot be read twice, nor from a place.
            try fixture.capture("a", key: "key")
            #expect(try fixture.shell("cat key | asof window --key-file /dev/stdin").code == 0)
            #expect(try fixture.shell("mkfifo pipe; cat key > pipe & asof window --key-file pipe").code == 0)
            // The server of a mount is another process, and a capture that is looked for opens the repository once more.
            let mounted = try fixture.shell("cat key | asof mount --at latest mnt -q --key-file /dev/stdin && cat mnt/a && asof umount mnt")
            #expect(mounted.output == "a" && mounted.code == 0, "\(mounted)")
            let long = try fixture.shell("head -c 9999 /dev/zero | asof window --key-file /dev/stdin")
            #expect(long.code == 12 && long.error.contains("File too large"), "\(long)")
        }

        @Test func `20 and 21: outside of what was captured, and in a gap of it`() throws {
            try fixture.capture("a")
            for when in ["2001-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "lsn:999999"] {
                let outside = try fixture.run("mount", "--at", when, "mnt")
                #expect(outside.code == 20 && outside.error.contains("the window is"), "\(outside)")
            }
            try fixture.folder.write("data/b", [1])
            #expect(try fixture.run("follow", "--once", "--no-stop", "data").code == 0)
            let window = try fixture.run("window", "--json").output
            // Its comparison made several transactions, of which only the last is a state that was there.
            let gap = try #require(window.split(separator: #""gaps":[{"after":{"lsn":"#, maxSplits: 1).dropFirst().first)
            let after = try #require(UInt64(gap.prefix { $0.isNumber }))
            let inside = try fixture.run("mount", "--at", "lsn:\(after + 1)", "mnt")
            #expect(inside.code == 21 && inside.error.contains("nearest"), "\(inside)")
        }

        /// Also of the first one, and of the first behind a gap.
        @Test func `the time that is told of a state means it`() throws {
            #expect(try fixture.run("init", "-q").code == 0)
            for name in ["a", "b"] {
                try fixture.folder.write("data/\(name)", [1])
                try fixture.start("record", "data", "mnt").stop()
            }
            let window = try fixture.run("window", "--json").output
            for place in ["from", "after", "before", "to"] {
                let lsn = try #require(UInt64(window.rest(after: "\"\(place)\":{\"lsn\":").prefix { $0.isNumber }))
                let told = try fixture.run("mount", "-n", "--json", "--at", "lsn:\(lsn)", "mnt").output
                let time = String(told.rest(after: "\"time\":\"").prefix { $0 != "\"" })
                let again = try fixture.run("mount", "-n", "--json", "--at", time, "mnt")
                #expect(again.output == told, "\(again), \(told)")
            }
        }

        @Test func `3: what the repository does not take waits in the spool, and the next start archives it`() throws {
            try fixture.capture("a")
            let capture = try fixture.start("follow", "--no-stop", "--interval", "100ms", "data")
            #expect(try fixture.run("backup", "create").code == 0)
            // A file where segments go: nothing can be put there, whoever asks.
            let segments = fixture.folder.path("repo/timelines/main/segments")
            try SystemCall.rename(at: AT_FDCWD, segments, to: AT_FDCWD, fixture.folder.path("away"))
            try fixture.folder.write("repo/timelines/main/segments", [])
            try fixture.folder.write("data/b", [1])
            #expect(eventually { (try? fixture.run("status").output.contains("trouble     none")) == false })
            try capture.child.kill(SIGTERM)
            #expect(try capture.child.wait() == .exited(3))
            try SystemCall.unlink(segments)
            try SystemCall.rename(at: AT_FDCWD, fixture.folder.path("away"), to: AT_FDCWD, segments)
            #expect(try fixture.run("follow", "--once", "--no-stop", "data").code == 0)
        }
    }
}
