import AsofCore
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

extension ProgramTests {
    @Suite(.enabled(if: ProgramFixture.canFollow))
    struct RestoringInPlace {
        let fixture: ProgramFixture

        init() throws {
            fixture = try ProgramFixture()
            try SystemCall.makeDirectory(fixture.folder.path("data/folder"), mode: 0o755)
            try fixture.folder.write("data/folder/deep", [1, 2, 3])
            try SystemCall.changeMode(at: AT_FDCWD, fixture.folder.path("data"), 0o751)
            try fixture.capture("a", "b")
        }

        private func inPlace(_ more: String...) throws -> ProgramFixture.Outcome {
            more.isEmpty
                ? try fixture.run("restore", "--at", "latest", "--in-place", "data") : try fixture.run("restore", "--at", "latest", "--in-place", "data", more[0])
        }

        /// Makes the directory another one than it was captured as.
        private func change() throws {
            try SystemCall.unlink(fixture.folder.path("data/a"))
            try fixture.folder.write("data/b", [9])
            try fixture.folder.write("data/new", [8])
            try SystemCall.makeDirectory(fixture.folder.path("data/lost+found"), mode: 0o700)
            try SystemCall.changeMode(at: AT_FDCWD, fixture.folder.path("data"), 0o700)
            let root = try SystemCall.open(fixture.folder.path("data"), O_RDONLY | O_DIRECTORY)
            try SystemCall.setExtendedAttribute(root.raw, "user.later", [1])
        }

        /// Of the restored directory, the folders that asof keeps there left out.
        private func entries() throws -> [String] { try fixture.folder.names(in: "data").filter { !$0.hasPrefix(".asof") } }

        private func expectRestored(_ times: Instant) throws {
            #expect(try entries() == ["a", "b", "folder", "lost+found"])
            #expect(try fixture.folder.read("data/b") == [UInt8(ascii: "b")])
            #expect(try fixture.folder.read("data/folder/deep") == [1, 2, 3])
            let status = try SystemCall.status(fixture.folder.path("data"))
            #expect(status.attributes.mode & 0o7777 == 0o751)
            #expect(status.attributes.modified == times)
            let root = try SystemCall.open(fixture.folder.path("data"), O_RDONLY | O_DIRECTORY)
            #expect(try !SystemCall.extendedAttributeNames(root.raw).contains(Array("user.later".utf8)))
        }

        /// The directory belongs to a server's user, who may put there what he likes.
        @Test func `goes on with nothing that somebody else may have made`() throws {
            try change()
            #expect(try fixture.crash("restore.batch.noted", "restore", "--at", "latest", "--in-place", "data").code == 137)
            let hidden = try #require(try fixture.folder.names(in: "data").first { $0.hasPrefix(".asof-restoring-") })
            let path = fixture.folder.path("data/\(hidden)")
            for (owner, mode) in [(65534, 0o700), (0, 0o770)] as [(UInt32, UInt32)] {
                try #require(chown(path, owner, owner) == 0 && chmod(path, mode) == 0)
                let refused = try inPlace()
                #expect(refused.code == 1 && refused.error.contains("another user") && refused.error.contains("move it away"), "\(refused)")
            }
            try #require(chown(path, 0, 0) == 0 && chmod(path, 0o700) == 0)
            #expect(try inPlace().code == 0)
        }

        @Test func `exchanges what is there, keeps it, and captures leave that out`() throws {
            let times = try SystemCall.status(fixture.folder.path("data")).attributes.modified
            try change()
            let plan = try inPlace("--validate")
            #expect(plan.code == 0 && plan.lines.last?.contains("--in-place") == true, "\(plan)")
            let done = try inPlace("--json")
            #expect(done.code == 0 && done.output.contains("/old"), "\(done)")
            try expectRestored(times)
            let kept = try #require(try fixture.folder.names(in: "data").first { $0.hasPrefix(".asof-replaced-") })
            #expect(try fixture.folder.names(in: "data/\(kept)") == ["old"])
            #expect(try fixture.folder.names(in: "data/\(kept)/old") == ["b", "folder", "new"])
            #expect(try fixture.folder.read("data/\(kept)/old/b") == [9])
            // What was restored goes on in a timeline of its own.
            #expect(try fixture.run("follow", "--once", "--no-stop", "data", "--timeline", "after").code == 0)
            #expect(try fixture.run("restore", "--at", "latest", "--to", "out", "--timeline", "after").code == 0)
            #expect(try fixture.folder.names(in: "out") == ["a", "b", "folder", "lost+found"])
            #expect(try fixture.run("restore", "--discard-old", "data", "-n").output.contains(kept))
            let discarded = try fixture.run("restore", "--discard-old", "data")
            #expect(discarded.code == 0 && discarded.output.contains("3 files"), "\(discarded)")
            #expect(try fixture.folder.names(in: "data") == ["a", "b", "folder", "lost+found"])
            try expectRestored(times)
            #expect(try fixture.run("restore", "--discard-old", "data").code == 0)
        }

        @Test func `what is kept is not seen through a recorder, and its name cannot be taken`() throws {
            try change()
            #expect(try inPlace().code == 0)
            let recorder = try fixture.start("record", "data", "mnt", "--timeline", "after")
            #expect(try fixture.folder.names(in: "mnt") == ["a", "b", "folder", "lost+found"])
            #expect(throws: Errno(EPERM)) { try SystemCall.makeDirectory(fixture.folder.path("mnt/.asof-replaced-x"), mode: 0o700) }
            #expect(throws: Errno(EPERM)) { try fixture.folder.write("mnt/.asof-restoring-x", [1]) }
            try fixture.folder.write("mnt/c", [1])
            try recorder.stop()
            #expect(try fixture.run("restore", "--at", "latest", "--to", "out", "--timeline", "after").code == 0)
            #expect(try fixture.folder.names(in: "out") == ["a", "b", "c", "folder", "lost+found"])
        }

        @Test func `refuses while somebody uses the directory, and where it must not be made`() throws {
            let follower = try fixture.start("follow", "--no-stop", "data")
            let captured = try inPlace()
            #expect(captured.code == 11 && captured.error.contains("asof") && captured.error.contains("in use"), "\(captured)")
            try follower.stop()
            for (script, words) in [("exec 3<data/b; exec sleep 60", "data/b open"), ("cd data/folder; exec sleep 60", "works in")] {
                let other = try ChildProcess.spawn(
                    "/bin/sh", arguments: ["sh", "-c", script], environment: ["PATH=/usr/bin:/bin"], directory: fixture.folder.path)
                defer { try? other.kill(SIGKILL); _ = try? other.wait() }
                let isSeen = eventually { (try? inPlace("--validate"))?.output.contains(words) == true }
                #expect(isSeen, "\(script)")
                let refused = try inPlace()
                #expect(refused.code == 11 && refused.error.contains("\(other.pid)"), "\(refused)")
            }
            #expect(try fixture.run("restore", "--at", "latest", "--in-place", "none").code == 1)
            #expect(try fixture.run("restore", "--at", "latest", "--in-place", "data/b").code == 1)
            for place in ["/", "repo", ".", "state"] {
                let refused = try fixture.run("restore", "--at", "latest", "--in-place", place)
                #expect(refused.code == 64, "\(place): \(refused)")
            }
            #expect(try fixture.run("restore", "--at", "latest", "--in-place", "data", "--to", "out").code == 64)
            #expect(try fixture.folder.names(in: "data") == ["a", "b", "folder"])
        }

        @Test func `a crash in the middle is said, begins no capture, and the same command finishes it`() throws {
            let times = try SystemCall.status(fixture.folder.path("data")).attributes.modified
            let plan = try fixture.run("restore", "--at", "latest", "--to", "out", "-n", "--json").output
            let instant = "lsn:\(plan.split(separator: #""lsn":""#).last?.prefix { $0 != "\"" } ?? "")"
            try fixture.folder.write("data/c", [1])
            #expect(try fixture.run("follow", "--once", "--no-stop", "data").code == 0)
            try change()
            let killed = try fixture.crash("restore.swap.left", "restore", "--at", instant, "--in-place", "data")
            #expect(killed.code == 128 + SIGKILL, "\(killed)")
            #expect(try SystemCall.status(fixture.folder.path("data")).attributes.mode & 0o7777 == 0o700)
            for capture in [["follow", "--once", "--no-stop", "data"], ["record", "data", "mnt"]] {
                let refused = capture.count == 3 ? try fixture.run("record", "data", "mnt") : try fixture.run("follow", "--once", "--no-stop", "data")
                #expect(refused.code == 1 && refused.error.contains("not finished"), "\(refused)")
                #expect(refused.error.contains("--timeline main --at \(instant) --in-place"), "\(refused)")
                // The rest of both states lies in that folder once the exchange has begun.
                #expect(refused.error.contains("rm -r") != refused.error.contains("neither the old state nor the new one"), "\(refused)")
            }
            #expect(try fixture.run("restore", "--discard-old", "data").code == 1)
            let other = try inPlace()
            #expect(other.code == 1 && other.error.contains("finish that one"), "\(other)")
            // What holds the state is named with its timeline: the same LSN is another state in another one.
            #expect(other.error.contains("--timeline main --at \(instant)"), "\(other)")
            let again = try fixture.crash("restore.swap.entered", "restore", "--at", instant, "--in-place", "data")
            #expect(again.code == 128 + SIGKILL, "\(again)")
            // Somebody who did not heed it.
            try fixture.folder.write("data/stranger", [1])
            let refused = try fixture.run("restore", "--at", instant, "--in-place", "data")
            #expect(refused.code == 1 && refused.error.contains("stranger"), "\(refused)")
            try SystemCall.unlink(fixture.folder.path("data/stranger"))
            #expect(try fixture.run("restore", "--at", instant, "--in-place", "data").code == 0)
            try expectRestored(times)
        }
    }
}
