import AsofCore
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

extension ProgramTests {
    /// `asof mount` without `--at`, and what whoever may look there can do to others.
    @Suite(.enabled(if: ProgramFixture.canFollow))
    struct TimeFolder {
        let fixture: ProgramFixture
        init() throws {
            fixture = try ProgramFixture()
            try fixture.capture("a")
        }

        @Test func `looks at latest ask a capture for a segment once a second at most`() throws {
            let capture = try fixture.start("follow", "--no-stop", "--interval", "1h", "data")
            #expect(try fixture.run("mount", "-q", "mnt").code == 0)
            let segments = "repo/timelines/main/segments"
            let before = try fixture.folder.names(in: segments).count
            let begun = SystemClock.monotonicNanoseconds()
            for number in 0..<40 {
                try fixture.folder.write("data/b", Array("\(number)".utf8))
                _ = try fixture.folder.read("mnt/latest/a")
            }
            let seconds = Int((SystemClock.monotonicNanoseconds() - begun) / 1_000_000_000)
            #expect(try fixture.folder.names(in: segments).count - before <= seconds + 1, "\(seconds) s")
            // It lags by no more than that.
            #expect(eventually { (try? fixture.folder.read("mnt/latest/b")) == Array("39".utf8) })
            #expect(try fixture.run("umount", "mnt").code == 0)
            try capture.stop()
        }

        @Test func `names outside of the window are no news for the log of the mounts`() throws {
            #expect(try fixture.run("mount", "-q", "mnt").code == 0)
            for name in ["lsn-0", "lsn-999999", "2001-01-01T00:00:00Z"] {
                #expect(throws: Errno(ENOENT)) { try SystemCall.status(fixture.folder.path("mnt/\(name)")) }
            }
            #expect(!(try fixture.folder.names(in: "state").contains("mount.log")))
            #expect(try fixture.run("umount", "mnt").code == 0)
        }

        @Test func `the log of the mounts has a bound, however often damage is met`() throws {
            var generator = SplitMix64(seed: 3)
            try fixture.folder.write("data/large", (0..<100_000).map { _ in UInt8(truncatingIfNeeded: generator.next()) })
            try fixture.capture(again: "b")
            let segment = "repo/timelines/main/segments/" + (try #require(try fixture.folder.names(in: "repo/timelines/main/segments").last))
            var bytes = try fixture.folder.read(segment)
            for place in 1000..<1020 { bytes[place] ^= 0x5A }
            try fixture.folder.write(segment, bytes)
            let full = [UInt8](repeating: UInt8(ascii: "\n"), count: 2 << 20)
            try fixture.folder.write("state/mount.log", full)
            #expect(try fixture.run("mount", "-q", "mnt").code == 0)
            let begun = SystemClock.monotonicNanoseconds()
            for _ in 0..<200 { #expect(throws: Errno(EIO)) { try fixture.folder.read("mnt/latest/large") } }
            let seconds = Int((SystemClock.monotonicNanoseconds() - begun) / 1_000_000_000)
            let lines = try fixture.folder.read("state/mount.log").split(separator: UInt8(ascii: "\n"))
            #expect(lines.count >= 1 && lines.count <= 11 * (seconds + 2), "\(lines.count) lines in \(seconds) s")
            #expect(try fixture.folder.read("state/mount.log.1") == full)
            #expect(try fixture.run("umount", "mnt").code == 0)
        }

        @Test func `a number in a name is digits`() throws {
            #expect(try fixture.run("mount", "-q", "mnt").code == 0)
            let newest = try fixture.newest()
            _ = try SystemCall.status(fixture.folder.path("mnt/lsn-\(newest)"))
            #expect(throws: Errno(ENOENT)) { try SystemCall.status(fixture.folder.path("mnt/lsn-+\(newest)")) }
            #expect(try fixture.run("umount", "mnt").code == 0)
        }
    }
}
