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
