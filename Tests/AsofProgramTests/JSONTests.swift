import AsofSystem
import AsofTestSupport
import Testing

extension ProgramTests {
    @Suite(.enabled(if: ProgramFixture.canFollow))
    struct JSON {
        let fixture: ProgramFixture
        init() throws { fixture = try ProgramFixture() }

        /// An object a line, and nothing else.
        private func objects(_ outcome: ProgramFixture.Outcome) -> Bool {
            outcome.code == 0 && !outcome.lines.isEmpty && outcome.lines.allSatisfy { $0.hasPrefix("{") && $0.hasSuffix("}") }
        }

        @Test func `is what a program gets from every command that it asks`() throws {
            #expect(objects(try fixture.run("version", "--json")))
            #expect(objects(try fixture.run("init", "-n", "--json")))
            #expect(try fixture.folder.names().contains("repo") == false)
            #expect(objects(try fixture.run("init", "--json")))
            try fixture.folder.write("data/a", [1])
            #expect(objects(try fixture.run("follow", "-n", "--json", "data")))
            #expect(objects(try fixture.run("record", "-n", "--json", "data", "mnt")))
            let once = try fixture.run("follow", "--once", "--no-stop", "--json", "data")
            #expect(objects(once) && once.lines.count == 2, "\(once)")
            #expect(once.lines[0].contains(#""event":"ready""#) && once.lines[1].contains(#""event":"captured""#))
            for plan in [try fixture.run("mount", "-n", "mnt", "--json"), try fixture.run("mount", "-n", "--at", "latest", "mnt", "--json")] {
                #expect(objects(plan) && plan.output.contains(#""dryRun":true"#), "\(plan)")
            }
            #expect(objects(try fixture.run("mount", "--at", "latest", "mnt", "--json")))
            #expect(objects(try fixture.run("umount", "-n", "mnt", "--json")))
            #expect(objects(try fixture.run("umount", "mnt", "--json")))
            #expect(objects(try fixture.run("backup", "create", "--type", "base", "-n", "--json")))
            let wrong = try fixture.run("window", "--nonsense", "--json")
            #expect(wrong.code == 64 && wrong.error.hasPrefix("{"), "\(wrong)")
        }

        @Test func `of a recorder that is ready names its process and places`() throws {
            #expect(try fixture.run("init", "-q").code == 0)
            let capture = try fixture.start("record", "--json", "--spool", "spool", "data", "mnt")
            let ready = try capture.output()
            #expect(ready.contains(#""process":\#(capture.child.pid)"#) && ready.contains(fixture.folder.path("spool")))
            try capture.stop()
        }
    }
}
