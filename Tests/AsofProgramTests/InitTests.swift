import AsofSystem
import AsofTestSupport
import Glibc
import Testing

extension ProgramTests {
    @Suite(.enabled(if: ProgramFixture.canFollow))
    struct Init {
        let fixture: ProgramFixture
        init() throws { fixture = try ProgramFixture() }

        /// Whether an object could be called so or not.
        @Test(arguments: ["file", "my file.txt", ".hidden", "é", "sub dir/x", "empty/", "link"])
        func `takes no folder that holds something`(name: String) throws {
            try SystemCall.makeDirectory(fixture.folder.path("repo"), mode: 0o755)
            if let end = name.lastIndex(of: "/") { try SystemCall.makeDirectory(fixture.folder.path("repo/\(name[..<end])"), mode: 0o755) }
            if name == "link" { #expect(symlink("nowhere", fixture.folder.path("repo/link")) == 0) } else if name.last != "/" { try fixture.folder.write("repo/\(name)", [1]) }
            for command in [["init"], ["init", "-n"]] {
                let refused = try fixture.run(command)
                #expect(refused.code == 1 && refused.error.contains("is not empty"), "\(command): \(refused)")
            }
            #expect(try !fixture.folder.names(in: "repo").contains("asof.json"))
        }

        @Test func `takes the root of a fresh volume, and one in which an init was interrupted`() throws {
            for name in ["repo", "repo/lost+found", "repo/.tmp"] { try SystemCall.makeDirectory(fixture.folder.path(name), mode: 0o700) }
            #expect(try fixture.run("init", "-n").code == 0)
            #expect(try fixture.run("init", "-q").code == 0)
        }

        @Test func `a dry run says what the command would`() throws {
            let plan = try fixture.run("init", "-n")
            #expect(plan.code == 0 && plan.output.contains("would make"))
            #expect(try !fixture.folder.names().contains("repo"))
            #expect(try fixture.run("init", "-q").code == 0)
            for command in [["init"], ["init", "-n"]] {
                let refused = try fixture.run(command)
                #expect(refused.code == 1 && refused.error.contains("is a repository already"), "\(command): \(refused)")
            }
        }
    }
}
