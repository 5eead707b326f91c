import AsofSystem
import AsofTestSupport
import Glibc
import Testing

extension ProgramTests {
    /// What is captured and what the capture writes must not lie in each other, whatever they are called.
    @Suite(.enabled(if: ProgramFixture.canFollow))
    struct Layout {
        let fixture: ProgramFixture
        init() throws {
            fixture = try ProgramFixture()
            #expect(try fixture.run("init", "-q").code == 0)
            try SystemCall.symbolicLink(target: Array("data".utf8), at: AT_FDCWD, fixture.folder.path("link"))
            try SystemCall.symbolicLink(target: Array("data/new".utf8), at: AT_FDCWD, fixture.folder.path("dangling"))
        }

        private func isRefused(_ arguments: [String], because reason: String) throws {
            for verb in [["follow", "--once", "--no-stop"], ["follow", "--dry-run"]] {
                let outcome = try fixture.run(verb + arguments)
                #expect(outcome.code == 64 && outcome.error.contains(reason), "\(arguments): \(outcome)")
            }
            #expect(try fixture.folder.names(in: "data").isEmpty)
        }

        @Test func `a spool and a state directory are not made in the directory through a link`() throws {
            for spool in ["data/sp", "link/sp", "link/a/b/../sp", "dangling", "dangling/sp", "no/../link/sp"] {
                try isRefused(["--spool", spool, "data"], because: "which is captured")
            }
            for state in ["link/st", "dangling", "link"] { try isRefused(["--state-dir", state, "data"], because: "which is captured") }
            try isRefused(["--spool", "data/sp", "link"], because: "which is captured")
            let recorded = try fixture.run("record", "--spool", "link/sp", "data", "mnt")
            #expect(recorded.code == 64 && recorded.error.contains("which is captured"), "\(recorded)")
            let checked = try fixture.run("check", "--spool", "link/sp", "data")
            #expect(checked.code == 3 && checked.output.contains("which is captured"), "\(checked)")
        }

        @Test func `a repository does not lie in the directory through a link`() throws {
            #expect(try fixture.run("init", "-q", "--repo", "link/r").code == 0)
            let outcome = try fixture.run("follow", "--once", "--no-stop", "--repo", "link/r", "data")
            #expect(outcome.code == 64 && outcome.error.contains("the repository"), "\(outcome)")
        }

        @Test func `a bind mount is no other directory`() throws {
            try SystemCall.makeDirectory(fixture.folder.path("alias"), mode: 0o755)
            let outcome = try fixture.shell(
                "ASOF_REPO=repo exec unshare -m sh -c 'mount --bind data alias && exec asof follow --once --no-stop --state-dir state --spool alias/sp data'")
            #expect(outcome.code == 64 && outcome.error.contains("which is captured"), "\(outcome)")
        }

        @Test func `the directory does not lie among the files of asof`() throws {
            for place in ["repo/b", "repo/b/c", "sp", "sp/b", "st/b"] {
                try isRefusedInside(place)
            }
            let recorded = try fixture.run("record", "repo/b", "mnt")
            #expect(recorded.code == 64 && recorded.error.contains("lies in the repository"), "\(recorded)")
            let mounted = try fixture.run("record", "data", "repo/b/c")
            #expect(mounted.code == 64 && mounted.error.contains("lies in the repository"), "\(mounted)")
        }

        private func isRefusedInside(_ place: String) throws {
            try Durable.makeDirectories(fixture.folder.path(place))
            let outcome = try fixture.run("follow", "--once", "--no-stop", "--spool", "sp", "--state-dir", "st", place)
            let isSaid = outcome.error.contains("\(place) lies in the") || outcome.error.contains("which is captured")
            #expect(outcome.code == 64 && isSaid, "\(place): \(outcome)")
        }

        @Test func `what lies beside the directory is not in it`() throws {
            try fixture.folder.write("data/a", [1])
            let outcome = try fixture.run("follow", "--once", "--no-stop", "--spool", "data-spool", "--state-dir", "data.state", "link")
            #expect(outcome.code == 0, "\(outcome)")
        }
    }
}
