import AsofCore
import AsofSystem
import AsofTestSupport
import Testing

extension ProgramTests {
    @Suite(.enabled(if: ProgramFixture.canFollow))
    struct SpoolLimit {
        let fixture: ProgramFixture
        init() throws {
            fixture = try ProgramFixture()
            #expect(try fixture.run("init", "-q").code == 0)
        }

        @Test(arguments: ["1", "8MiB", "64MiB", "128MB"])
        func `that the log would fill at rest is refused, with one that serves`(limit: String) throws {
            for refused in [try fixture.run("follow", "--spool-limit", limit, "data"), try fixture.run("record", "--spool-limit", limit, "data", "mnt")] {
                #expect(refused.code == 64 && refused.error.contains("128MiB"), "\(refused)")
            }
        }

        @Test func `the smallest leaves most of itself for changes`() throws {
            let capture = try fixture.start("record", "--spool-limit", "128MiB", "data", "mnt")
            // All spare files are made after a moment.
            var used: UInt64 = 0
            #expect(eventually {
                let status = (try? fixture.run("status", "--json").output) ?? ""
                used = status.split(separator: #""spoolBytes":"#).dropFirst().first.flatMap { UInt64($0.prefix { $0.isNumber }) } ?? 0
                return used >= 32 << 20
            })
            #expect(used < 64 << 20)
            try fixture.folder.write("mnt/file", [UInt8](repeating: 7, count: 1 << 20))
            #expect(try fixture.run("status").output.contains("trouble     none"))
            try capture.stop()
        }

        @Test func `a first scan of more than that waits at it`() throws {
            let limit: UInt64 = 128 << 20
            // Any bytes that do not compress.
            let filled = try ChildProcess.spawn(
                "/bin/sh", arguments: ["sh", "-c", "for n in 1 2 3 4; do head -c 96M /dev/urandom > data/$n || exit 1; done"], directory: fixture.folder.path)
            try #require(try filled.wait() == .exited(0))
            let capture = try fixture.start(["follow", "--once", "--no-stop", "--spool", fixture.folder.path("spool"), "--spool-limit", "128MiB", "data"], until: "ready")
            var most: UInt64 = 0
            while try capture.child.wait(timeout: .milliseconds(1)) == nil { most = max(most, try size(of: "spool")) }
            let (output, error) = (try capture.output(), try capture.error())
            #expect(output.contains("captured until"), "\(error)")
            // It came that far. Above it: a segment of 64 MiB in the making, and the file or two that were taken before that was noticed.
            #expect(most > limit / 2 && most < limit + 80 << 20, "\(most >> 20) MiB")
        }

        private func size(of name: String) throws -> UInt64 {
            var total: UInt64 = 0
            guard let reader = try? DirectoryReader(fixture.folder.path(name)) else { return 0 }
            while let entry = try reader.next() {
                let path = "\(name)/\(entry.name)"
                guard let status = try? SystemCall.status(fixture.folder.path(path), following: false) else { continue }
                total += status.attributes.isDirectory ? try size(of: path) : status.attributes.size
            }
            return total
        }
    }
}
