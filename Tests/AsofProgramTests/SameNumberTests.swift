import AsofSystem
import AsofTestSupport
import Glibc
import Testing

extension ProgramTests {
    /// Two timelines of one parent number their transactions alike: what one of them left half done is not taken for the other's.
    @Suite(.enabled(if: ProgramFixture.canFollow))
    struct SameNumber {
        let fixture: ProgramFixture
        let number: String

        /// `one` and `two` have a state of the same number; each holds a file of its own.
        init() throws {
            fixture = try ProgramFixture()
            try fixture.capture("a")
            for name in ["one", "two"] {
                #expect(try fixture.run("clone", "--at", "latest", "--timeline", name).code == 0)
                #expect(try fixture.run("restore", "--timeline", name, "--at", "latest", "--to", "of-\(name)").code == 0)
                try fixture.folder.write("of-\(name)/file-\(name)", Array(name.utf8))
                let taken = try fixture.run("follow", "--once", "--no-stop", "--timeline", name, "of-\(name)")
                #expect(taken.code == 0, "\(taken)")
            }
            let (one, two) = (try Self.newest(of: "one", fixture), try Self.newest(of: "two", fixture))
            number = one
            try #require(one == two)
        }

        private static func newest(of timeline: String, _ fixture: ProgramFixture) throws -> String {
            let window = try fixture.run("window", "--timeline", timeline, "--json").output
            return String(try #require(window.split(separator: "\"to\":{\"lsn\":").last).prefix { $0.isNumber })
        }

        @Test func `a promotion of another is not gone on with`() throws {
            func mount(_ timeline: String) throws {
                let done = try fixture.run("mount", "--timeline", timeline, "--at", "lsn:\(number)", "--rw", "-q", "mnt")
                #expect(done.code == 0, "\(done)")
            }
            try mount("one")
            #expect(try fixture.run("promote", "mnt", "--to", "out").code == 0)
            #expect(eventually { (try? fixture.run("umount", "mnt").code) == 0 })
            try mount("two")
            for more in [[], ["--finalize"]] {
                let refused = try fixture.run(["promote", "mnt", "--to", "out"] + more)
                #expect(refused.code == 1 && refused.error.contains("holds the promotion of lsn:\(number) of timeline one"), "\(refused)")
            }
            // Nothing is decided by that: elsewhere it can be.
            let elsewhere = try fixture.run("promote", "mnt", "--to", "elsewhere", "--finalize")
            #expect(elsewhere.code == 0, "\(elsewhere)")
            #expect(try fixture.folder.names(in: "elsewhere").sorted() == ["a", "file-two"])
            #expect(eventually { (try? fixture.run("umount", "mnt").code) == 0 })
        }

        @Test func `a restore that ended is not taken for another`() throws {
            let ended = try fixture.crash("restore.switch.ended", "restore", "--timeline", "one", "--at", "lsn:\(number)", "--to", "out")
            #expect(ended.code == 128 + SIGKILL)
            let refused = try fixture.run("restore", "--timeline", "two", "--at", "lsn:\(number)", "--to", "out")
            #expect(refused.code == 1 && refused.error.contains("out is not empty"), "\(refused)")
            let again = try fixture.run("restore", "--timeline", "one", "--at", "lsn:\(number)", "--to", "out")
            #expect(again.code == 0 && again.output.contains("restored by the command before"), "\(again)")
            #expect(try fixture.folder.names(in: "out").sorted() == ["a", "file-one"])
        }

        @Test func `a name that is too long for a restore is said to be`() throws {
            let longest = String(repeating: "n", count: 255 - 31)
            #expect(try fixture.run("restore", "--at", "latest", "--to", longest).code == 0)
            let refused = try fixture.run("restore", "--at", "latest", "--to", longest + "n")
            #expect(refused.code == 64 && refused.error.contains("is too long for a restore"), "\(refused)")
        }
    }
}
