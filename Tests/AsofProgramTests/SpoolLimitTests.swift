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
    }
}
