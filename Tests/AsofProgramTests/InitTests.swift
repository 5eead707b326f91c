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

        /// With it goes, of an encrypted repository, the data key: another one must not take its place.
        @Test func `asof.json that is lost is damage, for all commands`() throws {
            try fixture.folder.write("key", Array(String(repeating: "0a", count: 32).utf8))
            fixture.variables = ["ASOF_KEY_FILE=\(fixture.folder.path("key"))"]
            #expect(try fixture.run("init", "-q").code == 0)
            try fixture.folder.write("data/a", [1])
            #expect(try fixture.run("follow", "--once", "--no-stop", "data").code == 0)
            try SystemCall.rename(at: AT_FDCWD, fixture.folder.path("repo/asof.json"), to: AT_FDCWD, fixture.folder.path("saved"))
            for command in [["window"], ["status"], ["follow", "--once", "--no-stop", "data"], ["init"], ["init", "-n"]] {
                let lost = try fixture.run(command)
                #expect(lost.code == 22 && lost.error.contains("asof.json is missing") && lost.error.contains("from a copy"), "\(command): \(lost)")
            }
            try SystemCall.rename(at: AT_FDCWD, fixture.folder.path("saved"), to: AT_FDCWD, fixture.folder.path("repo/asof.json"))
            #expect(try fixture.run("window").code == 0)
        }
    }
}
