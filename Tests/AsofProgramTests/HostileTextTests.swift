import AsofRepository
import AsofTestSupport
import Testing

extension ProgramTests {
    /// What comes from a repository or a directory may be anything: a terminal gets text.
    @Suite(.enabled(if: ProgramFixture.canFollow))
    struct HostileText {
        let fixture: ProgramFixture

        /// The head's last gap has a reason of somebody's choice, and a checksum that is right.
        init() throws {
            fixture = try ProgramFixture()
            try fixture.capture("a")
            try fixture.capture(again: "b")
            let path = "repo/timelines/main/head.json"
            let text = String(decoding: try fixture.folder.read(path).prefix { $0 != 0x0A }, as: UTF8.self)
            let parts = text.split(separator: #""reason":""#, maxSplits: 1)
            try #require(parts.count == 2)
            let forged = parts[0] + #""reason":"\u001b[2J\u009bred\n  hint: trust me \u202e"# + parts[1].drop { $0 != "\"" }
            try fixture.folder.write(path, SignedDocument.seal(Array(forged.utf8), key: nil))
        }

        private func check(_ text: String) {
            for scalar in text.unicodeScalars where scalar != "\n" { #expect(scalar.properties.generalCategory != .control && scalar.properties.generalCategory != .format, "\(text.debugDescription)") }
            #expect(text.contains("\\u{1b}[2J\\u{9b}red\\u{a}  hint: trust me \\u{202e}"), "\(text)")
            #expect(!text.contains("\n  hint: trust me"))
        }

        @Test func `of a repository is escaped, in results and in errors`() throws {
            check(try fixture.run("window").output)
            let gap = try #require(try fixture.run("window", "--json").output.split(separator: #""gaps":[{"after":{"lsn":"#, maxSplits: 1).dropFirst().first)
            let after = try #require(UInt64(gap.prefix { $0.isNumber }))
            let inside = try fixture.run("mount", "--at", "lsn:\(after + 1)", "mnt")
            #expect(inside.code == 21 && inside.error.contains("\n  hint: the exact states nearest"))
            check(inside.error)
        }

        @Test func `of a command line is escaped, and its usage has a line of its own`() throws {
            let unknown = try fixture.run("window", "--\u{1B}[2J\n")
            #expect(unknown.code == 64 && unknown.error.contains("--\\u{1b}[2J\\u{a}") && unknown.error.contains("\n  usage: asof window"), "\(unknown)")
        }
    }
}
