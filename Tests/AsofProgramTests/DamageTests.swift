import AsofSystem
import AsofTestSupport
import Glibc
import Testing

extension ProgramTests {
    @Suite(.enabled(if: ProgramFixture.canFollow))
    struct Damage {
        let fixture: ProgramFixture
        /// Below the test's folder: the base, and the segment behind it.
        let base: String
        let segment: String

        init() throws {
            fixture = try ProgramFixture()
            try fixture.capture("a", "b")
            #expect(try fixture.run("backup", "create", "--type", "base").code == 0)
            try fixture.folder.write("data/c", [1])
            #expect(try fixture.run("follow", "--once", "--no-stop", "data").code == 0)
            let timeline = "repo/timelines/main"
            base = "\(timeline)/bases/" + (try #require(try fixture.folder.names(in: "\(timeline)/bases").first))
            segment = "\(timeline)/segments/" + (try #require(try fixture.folder.names(in: "\(timeline)/segments").last))
        }

        /// Calls `body` with the file at `path` missing, empty, cut off, and changed at `places`.
        private func damaging(_ path: String, at places: Range<Int>, _ body: (String) throws -> Void) throws {
            let good = try fixture.folder.read(path)
            var wrong = good
            for place in places { wrong[place] ^= 0x5A }
            for bytes in [nil, [], Array(good.prefix(100)), wrong] as [[UInt8]?] {
                if let bytes { try fixture.folder.write(path, bytes) } else { try SystemCall.unlink(fixture.folder.path(path)) }
                defer { try? fixture.folder.write(path, good) }
                try body("\(path), \(bytes?.count ?? -1) bytes")
            }
        }

        @Test func `of the log that the root is read from fails the mount with 22 and names the object`() throws {
            let length = try fixture.folder.read(segment).count
            // Its payload comes first, then what is read of it here.
            try damaging(segment, at: length - 60..<length - 40) { what in
                let refused = try fixture.run("mount", "--at", "latest", "mnt")
                #expect(refused.code == 22, "\(what): \(refused)")
                #expect(refused.error.contains(segment.split(separator: "/").suffix(1).joined()) && refused.error.contains("hint"), "\(refused)")
            }
            try expectMounted("as it was")
        }

        private func expectMounted(_ what: String) throws {
            let mounted = try fixture.run("mount", "--at", "latest", "mnt")
            #expect(mounted.code == 0, "\(what): \(mounted)")
            #expect(try fixture.folder.names(in: "mnt") == ["a", "b", "c"], "\(what)")
            #expect(try fixture.folder.read("mnt/a") == fixture.folder.read("data/a"), "\(what)")
            #expect(try fixture.run("umount", "mnt").code == 0)
        }

        @Test func `of a base costs nothing but time, and the next one takes its place`() throws {
            let name = base.split(separator: "/").suffix(1).joined()
            // Its index page.
            try damaging(base, at: 70..<90) { what in
                try expectMounted(what)
                let restored = try fixture.run("restore", "--at", "latest", "--to", "out")
                #expect(restored.code == 0 && restored.error.contains(name) && restored.error.contains("backup create --type base"), "\(what): \(restored)")
                #expect(try fixture.folder.read("out/c") == [1])
                let removal = try ChildProcess.spawn("/bin/rm", arguments: ["rm", "-r", fixture.folder.path("out")])
                #expect(try removal.wait() == .exited(0))
            }
            var bytes = try fixture.folder.read(base)
            try fixture.folder.write(base, Array(bytes.dropLast(10)))
            #expect(try fixture.run("restore", "--at", "latest", "--to", "cut").code == 0)
            bytes[80] ^= 1
            try fixture.folder.write(base, bytes)
            let captured = try fixture.run("follow", "--once", "--no-stop", "data")
            #expect(captured.code == 0 && captured.error.contains(name), "\(captured)")
            #expect(try fixture.run("backup", "create", "--type", "base").code == 0)
            let after = try fixture.run("restore", "--at", "latest", "--to", "out")
            #expect(after.code == 0 && !after.error.contains(name), "\(after)")
        }
    }
}
