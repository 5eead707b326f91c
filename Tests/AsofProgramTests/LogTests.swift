import AsofCommands
import AsofCore
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

extension ProgramTests {
    @Suite(.enabled(if: ProgramFixture.canFollow))
    struct Log {
        let fixture: ProgramFixture
        init() throws {
            fixture = try ProgramFixture()
            #expect(try fixture.run("init", "-q").code == 0)
        }

        /// A listing without numbers, times and sizes.
        private func log(_ arguments: String...) throws -> [String] {
            let outcome = switch arguments.count {
            case 0: try fixture.run("log")
            case 1: try fixture.run("log", arguments[0])
            default: try fixture.run("log", arguments[0], arguments[1])
            }
            #expect(outcome.code == 0, "\(outcome)")
            return outcome.lines.map { line in
                let fields = line.split(separator: "  ")
                return fields.dropFirst(2).prefix(2).joined(separator: " ")
            }
        }

        private func mounted(_ name: String) -> String { fixture.folder.path("mnt/\(name)") }

        @Test func `has a hole once, and again when it is another`() throws {
            let path = fixture.folder.path("data/sparse")
            let file = try SystemCall.open(path, O_WRONLY | O_CREAT, mode: 0o600)
            try SystemCall.writeFully(file.raw, at: 0, [UInt8](repeating: 1, count: 100_000))
            try SystemCall.truncate(file.raw, to: 100 << 20)
            func captured() throws -> Int {
                let outcome = try fixture.run("follow", "--once", "--no-stop", "data")
                #expect(outcome.code == 0, "\(outcome)")
                return try log().count
            }
            let first = try captured()
            #expect(try captured() == first)
            #expect(try fixture.run("window").output.contains("gaps      none"))
            // FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE
            try SystemCall.allocate(file.raw, mode: 3, offset: 8192, length: 8192)
            let second = try captured()
            #expect(second > first)
            #expect(try captured() == second)
            #expect(try fixture.run("mount", "-q", "--at", "latest", "mnt").code == 0)
            #expect(try fixture.folder.read("mnt/sparse") == fixture.folder.read("data/sparse"))
            #expect(try fixture.run("umount", "mnt").code == 0)
        }

        @Test func `names both sides of renames and links, and finds a path however it is written`() throws {
            for name in ["a", "d"] { try fixture.folder.write("data/\(name)", [1]) }
            let capture = try fixture.start("record", "data", "mnt")
            // The comparison is over once this is sealed.
            #expect(try fixture.run("backup", "create").code == 0)
            try SystemCall.makeDirectory(mounted("e"), mode: 0o755)
            try SystemCall.rename(at: AT_FDCWD, mounted("a"), to: AT_FDCWD, mounted("e/b"))
            #expect(link(mounted("e/b"), mounted("c")) == 0)
            #expect(symlink("../there", mounted("s")) == 0)
            try SystemCall.rename(at: AT_FDCWD, mounted("e"), to: AT_FDCWD, mounted("f"))
            try SystemCall.rename(at: AT_FDCWD, mounted("c"), to: AT_FDCWD, mounted("d"), flags: .exchange)

            let all = ["mkdir e", "rename a → e/b", "link e/b → c", "symlink s → ../there", "rename e → f", "exchange c ↔ d"]
            #expect(try log() == all)
            #expect(try log("--path", "/") == all)
            for way in ["e/b", "./e/b", "/e/b", "e//b/", "x/../e/b"] {
                #expect(try log("--path", way) == ["rename a → e/b", "link e/b → c", "rename e → f"], "\(way)")
            }
            #expect(try log("--path", "a") == ["rename a → e/b"])
            let none = try fixture.run("log", "--path", "nowhere")
            #expect(none.code == 0 && none.output.isEmpty && none.error.contains("'nowhere'"))
            let json = try fixture.run("log", "--path", "s", "--json")
            #expect(json.output.contains(#""path":"s""#) && json.output.contains(#""to":"../there""#))
            try capture.stop()
        }

        @Test func `from before the beginning begins at the beginning, from within a gap is refused`() throws {
            try fixture.folder.write("data/a", [1])
            #expect(try fixture.run("follow", "--once", "--no-stop", "data").code == 0)
            try fixture.capture(again: "b")
            let all = try log()
            #expect(try !all.isEmpty && log("--from", "-1d") == all && log("--from", "lsn:0") == all)
            #expect(try fixture.run("log", "--from", "-1d", "--per", "1h").lines.count == 2)
            let window = try fixture.run("window", "--json").output
            let gap = try #require(window.split(separator: #""gaps":[{"after":{"lsn":"#, maxSplits: 1).dropFirst().first)
            let after = try #require(UInt64(gap.prefix { $0.isNumber }))
            #expect(try fixture.run("log", "--from", "lsn:\(after + 1)").code == 21)
            #expect(try fixture.run("log", "--from", "2099-01-01T00:00:00Z").code == 20)
            #expect(try fixture.run("log", "--help").output.contains("  21 "))
        }

        @Test func `a tick is found by each of its files, and names three`() throws {
            let capture = try fixture.start("follow", "--no-stop", "--tick", "100ms", "data")
            #expect(try fixture.run("backup", "create").code == 0)
            try SystemCall.makeDirectory(fixture.folder.path("new"), mode: 0o755)
            for name in ["p", "q", "r", "s"] { try fixture.folder.write("new/\(name)", [7]) }
            // One event, so one tick.
            try SystemCall.rename(at: AT_FDCWD, fixture.folder.path("new"), to: AT_FDCWD, fixture.folder.path("data/new"))
            #expect(try fixture.run("backup", "create").code == 0)
            let found = try log("--path", "new/s")
            #expect(found.first?.hasSuffix("new, new/p, new/q and 2 more") == true, "\(found)")
            #expect(try fixture.run("log", "--json").output.contains(#""paths":["new","new/p","new/q","new/r","new/s"]"#))
            try capture.stop()
        }
    }
}

@Suite("Paths of the log")
struct LogPathTests {
    @Test(arguments: [("a", "a"), ("./a/", "a"), ("/a//b", "a/b"), ("a/./b/..", "a"), ("../a", "a")])
    func `are written in many ways`(given: String, expected: String) { #expect(LogPath(given)?.text == expected) }

    @Test(arguments: ["/", ".", "./", "a/..", ""])
    func `the root is everything`(given: String) { #expect(LogPath(given) == nil) }

    @Test func `cover what is below, not what begins alike`() throws {
        let path = try #require(LogPath("a/b"))
        #expect(path.covers("a/b") && path.covers("a/b/c") && !path.covers("a/bc") && !path.covers("a"))
        #expect(path.isBelow("a") && !path.isBelow("a/b"))
    }
}
