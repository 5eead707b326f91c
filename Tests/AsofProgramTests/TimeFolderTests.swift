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
    }
}
