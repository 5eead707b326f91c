import AsofSystem
import AsofTestSupport
import Glibc
import Testing

extension ProgramTests {
    /// Files that come and go faster than they can be looked at, and nobody is stopped.
    @Suite(.enabled(if: ProgramFixture.canFollow))
    struct VanishingNames {
        let fixture: ProgramFixture
        init() throws {
            fixture = try ProgramFixture()
            #expect(try fixture.run("init", "-q").code == 0)
        }

        @Test func `are no reason to begin anew`() throws {
            let capture = try fixture.start("follow", "--no-stop", "--tick", "20ms", "data")
            // Made, filled, renamed over what an earlier round left, or removed: some 20,000 a second.
            let server = try ChildProcess.spawn(
                "/usr/bin/python3",
                arguments: [
                    "python3", "-c",
                    """
                    import os, sys, time
                    end, number = time.monotonic() + 3, 0
                    while time.monotonic() < end:
                        number += 1
                        path = f"{sys.argv[1]}/t{number % 400}"
                        with open(path, "wb") as file: file.write(b"x" * 500)
                        if number % 2: os.rename(path, f"{sys.argv[1]}/final{number % 7}")
                        else: os.unlink(path)
                    """, fixture.folder.path("data"),
                ])
            try #require(try server.wait() == .exited(0))
            try capture.stop()
            let said = try capture.error()
            #expect(!said.contains("tries again"), "\(said)")
            #expect(try fixture.run("restore", "--at", "latest", "--to", "back", "-q").code == 0)
            #expect(try fixture.shell("diff -r data back && ls back | wc -l").output == "7\n")
            // States while it went on, and not the first and the last alone.
            let newest = try #require(Int(try fixture.newest()))
            #expect(newest > 20, "\(newest)")
        }
    }
}
