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

        /// What a mount says while `path` holds `bytes`; nil: while it is not there.
        private func mount(with path: String, as bytes: [UInt8]?) throws -> ProgramFixture.Outcome {
            let good = try fixture.folder.read(path)
            if let bytes { try fixture.folder.write(path, bytes) } else { try SystemCall.unlink(fixture.folder.path(path)) }
            defer { try? fixture.folder.write(path, good) }
            return try fixture.run("mount", "--at", "latest", "mnt")
        }

        @Test func `of what the root is read from fails the mount with 22 and names the object`() throws {
            for path in [base, segment] {
                let good = try fixture.folder.read(path)
                var wrong = good
                // The first frame: of the base its index page, of the segment, whose payload comes first, its last frames.
                let places = path == base ? 70..<90 : good.count - 60..<good.count - 40
                for place in places { wrong[place] ^= 0x5A }
                for bytes in [nil, [], Array(good.prefix(100)), wrong] as [[UInt8]?] {
                    let refused = try mount(with: path, as: bytes)
                    #expect(refused.code == 22, "\(path), \(bytes?.count ?? -1) bytes: \(refused)")
                    #expect(refused.error.contains(path.split(separator: "/").suffix(1).joined()) && refused.error.contains("hint"), "\(refused)")
                }
            }
            #expect(try fixture.run("mount", "--at", "latest", "mnt").code == 0)
            #expect(try fixture.folder.names(in: "mnt") == ["a", "b", "c"])
            #expect(try fixture.run("umount", "mnt").code == 0)
        }
    }
}
