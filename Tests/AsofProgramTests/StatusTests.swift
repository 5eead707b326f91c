import AsofSystem
import AsofTestSupport
import Glibc
import Testing

extension ProgramTests {
    @Suite(.enabled(if: ProgramFixture.canFollow))
    struct Status {
        let fixture: ProgramFixture
        init() throws {
            fixture = try ProgramFixture()
            #expect(try fixture.run("init", "-q").code == 0)
        }

        @Test func `finds a capture on a spool of its own, and with its repository away`() throws {
            let capture = try fixture.start("follow", "--no-stop", "--spool", "elsewhere/spool", "data")
            let found = try fixture.run("status")
            #expect(found.code == 0 && found.output.contains("process \(capture.child.pid)"), "\(found)")
            #expect(try fixture.run("backup", "create").code == 0)

            try SystemCall.rename(at: AT_FDCWD, fixture.folder.path("repo"), to: AT_FDCWD, fixture.folder.path("away"))
            let blind = try fixture.run("status")
            #expect(blind.code == 3 && blind.output.contains("process \(capture.child.pid)") && blind.error.contains("hint"), "\(blind)")
            let json = try fixture.run("status", "--json")
            #expect(json.code == 3 && json.output.contains(#""process":\#(capture.child.pid)"#) && json.output.contains("trouble"), "\(json)")
            try SystemCall.rename(at: AT_FDCWD, fixture.folder.path("away"), to: AT_FDCWD, fixture.folder.path("repo"))
            try capture.stop()
        }

        @Test func `tells a capture that died from one that runs, and never from a date of long ago`() throws {
            let capture = try fixture.start("follow", "--no-stop", "--interval", "1h", "data")
            for command in ["status", "window"] { #expect(!(try fixture.run(command).output.contains("1677"))) }
            #expect(try fixture.run("window").output.contains("now, by process \(capture.child.pid)"))
            #expect(try fixture.run("backup", "create").code == 0)
            try capture.child.kill(SIGKILL)
            try capture.child.wait()
            for command in ["status", "window"] {
                let dead = try fixture.run(command)
                #expect(dead.code == 0 && dead.output.contains("process \(capture.child.pid)") && dead.output.contains("ended without saying so"), "\(dead)")
            }
            let json = try fixture.run("window", "--json").output
            #expect(json.contains("endedSilently") && !json.contains("capturing"), "\(json)")
            #expect(try fixture.run("follow", "--once", "--no-stop", "data").code == 0)
            #expect(try fixture.run("window").output.contains("captured  not now\n"))
        }

        @Test func `before anything is archived says never`() throws {
            // So slowly that its first scan is not over at once.
            let file = try SystemCall.open(fixture.folder.path("data/large"), O_WRONLY | O_CREAT, mode: 0o600)
            try SystemCall.writeFully(file.raw, at: 0, [UInt8](repeating: 7, count: 32 << 20))
            let capture = try fixture.start("follow", "--no-stop", "--interval", "1h", "--scan-rate", "1MiB", "data")
            let status = try fixture.run("status").output
            #expect(status.contains("archived    never") && !status.contains("1677") && !status.contains("1970"), "\(status)")
            try capture.child.kill(SIGKILL)
            try capture.child.wait()
            #expect(try fixture.run("backup", "create").error.contains("nothing is archived yet"))
        }

        /// A server that hangs keeps whoever asks it for ever: nobody waits for that.
        @Test func `names a mount that does not answer, and shows the rest`() throws {
            try fixture.capture(again: "a")
            #expect(try fixture.run("mount", "-q", "--at", "latest", "mnt").code == 0)
            let before = try fixture.run("status", "--json").output
            let server = try #require(Int32(before.split(separator: "\"process\":").last?.prefix { $0.isNumber } ?? ""))
            #expect(kill(server, SIGSTOP) == 0)
            defer { kill(server, SIGCONT) }
            let shown = try fixture.run("status")
            #expect(shown.code == 0 && shown.output.contains("mnt: does not answer, process \(server)") && shown.output.contains("window"), "\(shown)")
            let json = try fixture.run("status", "--json")
            #expect(json.code == 0 && json.output.contains(#""trouble":"does not answer""#), "\(json)")
            let one = try fixture.run("status", "mnt")
            #expect(one.code == 0 && one.output.contains("does not answer"), "\(one)")
        }

        @Test func `with no capture and no repository says which is missing`() throws {
            try SystemCall.rename(at: AT_FDCWD, fixture.folder.path("repo"), to: AT_FDCWD, fixture.folder.path("away"))
            let blind = try fixture.run("status")
            #expect(blind.code == 10 && blind.output.contains("none on this host") && blind.error.contains("there is no directory"), "\(blind)")
        }
    }
}

/// One at a time: they follow, mount and unmount.
@Suite("The program", .serialized)
enum ProgramTests {}
