import AsofCore
import AsofRepository
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

extension ProgramTests {
    @Suite(.enabled(if: ProgramFixture.canFollow))
    struct Timelines {
        let fixture: ProgramFixture
        init() throws { fixture = try ProgramFixture() }

        private func write(_ name: String, _ text: String) throws { try fixture.folder.write(name, Array(text.utf8)) }
        private func read(_ name: String) throws -> String { String(decoding: try fixture.folder.read(name), as: UTF8.self) }
        private func origin(_ name: String) throws -> DirectoryOrigin? { try DirectoryOrigin.read(fixture.folder.path(name)) }

        private func follow(_ directory: String, _ more: String...) throws -> ProgramFixture.Outcome {
            let outcome = more.count == 2
                ? try fixture.run("follow", "--once", "--no-stop", directory, more[0], more[1]) : try fixture.run("follow", "--once", "--no-stop", directory)
            #expect(outcome.code == 0, "\(outcome)")
            return outcome
        }

        private func restore(_ target: String, timeline: String = "main", at: String = "latest") throws {
            let outcome = try fixture.run("restore", "--timeline", timeline, "--at", at, "--to", target)
            #expect(outcome.code == 0, "\(outcome)")
        }

        /// What a file holds in a mount of a timeline.
        private func mounted(_ file: String, timeline: String = "main", at: String = "latest") throws -> String? {
            let mount = try fixture.run("mount", "--timeline", timeline, "--at", at, "mnt")
            #expect(mount.code == 0, "\(mount)")
            defer { _ = try? fixture.run("umount", "mnt") }
            return try fixture.folder.names(in: "mnt").contains(file) ? try read("mnt/\(file)") : nil
        }

        @Test func `of captures that start at once on a restored directory one makes its child`() throws {
            try fixture.capture("a")
            try restore("out")
            let script = "for i in 1 2 3 4 5 6; do asof follow --once --no-stop out > said-$i & P=\"$P $!\"; done; for p in $P; do wait $p; echo $?; done"
            let codes = try fixture.shell("export ASOF_REPO=\(fixture.folder.path("repo")); \(script)")
            #expect(Set(codes.lines).isSubset(of: ["0", "11"]) && codes.lines.contains("0"), "\(codes)")
            #expect(try fixture.run("timeline", "list").lines.count == 2)
            #expect(try origin("out")?.timeline == "main-2")
            #expect(try fixture.run("follow", "--once", "--no-stop", "out").output.contains("timeline main-2"))
        }

        @Test func `a restored directory is captured in a child, and goes on there`() throws {
            try fixture.capture("a", "b")
            try restore("out")
            let restored = try #require(try origin("out"))
            #expect(restored.timeline == "main" && !restored.isCaptured)
            try write("data/a", "in production")
            _ = try follow("data")
            try write("out/a", "in the child")
            #expect(try fixture.run("check", "out").output.contains("in a new timeline, which leaves main at lsn:"))
            #expect(try fixture.run("check", "data").output.contains("main, held by nobody"))
            let first = try follow("out")
            #expect(try fixture.run("check", "out").output.contains("main-2, held by nobody"))
            #expect(first.error.contains("new timeline main-2") && first.output.contains("timeline main-2"), "\(first)")
            let captured = try #require(try origin("out"))
            #expect(captured.timeline == "main-2" && captured.isCaptured && captured.lsn == restored.lsn)
            try write("out/c", "later")
            let second = try follow("out")
            #expect(!second.error.contains("new timeline") && second.output.contains("timeline main-2"), "\(second)")

            #expect(try mounted("a") == "in production")
            #expect(try mounted("a", timeline: "main-2") == "in the child")
            #expect(try mounted("b", timeline: "main-2") == "b")
            #expect(try mounted("c", timeline: "main-2") == "later")
            #expect(try mounted("a", timeline: "main-2", at: "lsn:\(restored.lsn)") == "a")
            #expect(try mounted("a", timeline: "main-2", at: restored.time) == "a")
            let list = try fixture.run("timeline", "list")
            #expect(list.code == 0 && list.lines.count == 2 && list.lines[1].hasPrefix("└─ main-2  leaves main at lsn:\(restored.lsn)"), "\(list)")
            #expect(try fixture.run("timeline", "list", "--json").output.contains(#""parent":{"lsn":\#(restored.lsn)"#))
            #expect(try fixture.run("window", "--timeline", "main-2").output.contains("leaves    main at"))

            // Names, contents: only what differs was logged, and no attribute of asof's own.
            let log = try fixture.run("log", "--timeline", "main-2", "--json").output
            #expect(!log.contains("setxattr"))
            #expect(try fixture.run("backup", "create", "--type", "base", "--timeline", "main-2").code == 0)
            try restore("again", timeline: "main-2")
            #expect(try read("again/a") == "in the child" && read("again/c") == "later" && read("again/b") == "b")
            #expect(try origin("again")?.timeline == "main-2")
            #expect(try follow("again").output.contains("timeline main-3"))
            #expect(try mounted("a", timeline: "main-3") == "in the child")
        }

        @Test func `who names no timeline is told of the child that goes on`() throws {
            try fixture.capture("a")
            try restore("out")
            let restored = try #require(try origin("out"))
            try write("out/a", "in the child")
            let hint = "main-2, which leaves it at lsn:\(restored.lsn)"
            // Captured elsewhere is not known here, and nothing newer is nothing to tell.
            #expect(try !fixture.run("window").error.contains("main-2"))
            _ = try follow("out")
            for command in [["window"], ["status"], ["log"], ["backup", "list"], ["clone", "-n", "--at", "latest", "--timeline", "new"], ["mount", "-n", "--at", "latest", "mnt"], ["restore", "-n", "--at", "latest", "--to", "other"]] {
                let told = try fixture.run(command)
                #expect(told.code == 0 && told.error.contains(hint) && told.error.contains(command[0] == "clone" ? "--from main-2" : "--timeline main-2"), "\(told)")
            }
            // Also where the command fails because of it.
            let later = try fixture.run("mount", "-n", "--at", try #require(try window(of: "main-2")), "mnt")
            #expect(later.code == 20 && later.error.contains(hint), "\(later)")
            // What lies before is the same history; who names one, or wants no words, knows.
            for command in [["mount", "-n", "--at", "lsn:\(restored.lsn)", "mnt"], ["window", "--timeline", "main"], ["window", "-q"], ["window", "--json"], ["timeline", "list"]] {
                let told = try fixture.run(command)
                #expect(told.code == 0 && !told.error.contains(hint), "\(told)")
            }
            fixture.variables = ["ASOF_TIMELINE=main-2"]
            let window = try fixture.run("window")
            // Where the line is given the variable may not be set, and an LSN means another state there.
            let plan = try fixture.run("restore", "--at", "latest", "--to", "other", "--validate")
            #expect(plan.code == 0 && plan.lines.last?.contains("--timeline main-2") == true, "\(plan)")
            #expect(window.output.contains("leaves    main at") && !window.error.contains("goes on"), "\(window)")
            fixture.variables = []
            // A history that is captured now has not ended.
            let capture = try fixture.start("follow", "--no-stop", "data")
            #expect(try !fixture.run("status").error.contains(hint))
            try capture.stop()
        }

        /// Acknowledged is acknowledged: a capture that was killed has it in its spool, which nobody would open again.
        @Test func `what waits in the spool of a timeline that is left is archived`() throws {
            try fixture.capture("a")
            let capture = try fixture.start("follow", "--no-stop", "--tick", "100ms", "--interval", "1h", "data")
            #expect(try fixture.run("backup", "create").code == 0)
            try write("data/a", "acknowledged")
            let before = try fixture.run("status").lines.first { $0.hasPrefix("archived") }.map(String.init)
            #expect(eventually {
                guard let lines = try? fixture.run("status").lines, let captured = lines.first(where: { $0.hasPrefix("captured") }), let before else { return false }
                return captured.split(separator: " ").dropFirst().first.map { !before.contains("\($0),") } ?? false
            })
            try capture.child.kill(SIGKILL)
            try capture.child.wait()
            let restored = try fixture.run("restore", "--at", "latest", "--in-place", "data")
            #expect(restored.code == 0, "\(restored)")
            #expect(try read("data/a") == "a")
            let child = try follow("data")
            #expect(child.error.contains("timeline main: bringing transactions up to"), "\(child)")
            #expect(try mounted("a") == "acknowledged")
            #expect(try mounted("a", timeline: "main-2") == "a")
        }

        /// Until when the timeline's window goes.
        private func window(of timeline: String) throws -> String? {
            try fixture.run("window", "--timeline", timeline).lines.first { $0.hasPrefix("to ") }?.split(separator: " ").dropFirst().first.map(String.init)
        }

        @Test func `a running follow goes on in a child when a restored directory takes the place of its own`() throws {
            try fixture.capture("a")
            try restore("out")
            let capture = try fixture.start("follow", "--no-stop", "--tick", "100ms", "data")
            try SystemCall.rename(at: AT_FDCWD, fixture.folder.path("data"), to: AT_FDCWD, fixture.folder.path("old"))
            try SystemCall.rename(at: AT_FDCWD, fixture.folder.path("out"), to: AT_FDCWD, fixture.folder.path("data"))
            #expect(eventually { (try? capture.output().contains("timeline main-2")) ?? false })
            try write("data/a", "after the exchange")
            #expect(try fixture.run("backup", "create", "--timeline", "main-2").code == 0)
            try capture.stop()
            #expect(try mounted("a", timeline: "main-2") == "after the exchange")
            #expect(try mounted("a") == "a")
        }

        @Test func `a promoted mount is captured in a child, with what was changed in it`() throws {
            try fixture.capture("a", "b")
            #expect(try fixture.run("mount", "--rw", "--at", "latest", "mnt").code == 0)
            try write("mnt/a", "changed in the mount")
            let promoted = try fixture.run("promote", "mnt", "--to", "out", "--finalize")
            #expect(promoted.code == 0, "\(promoted)")
            #expect(try fixture.run("umount", "mnt").code == 0)
            #expect(try origin("out")?.timeline == "main")
            #expect(try follow("out").output.contains("timeline main-2"))
            #expect(try mounted("a", timeline: "main-2") == "changed in the mount")
            #expect(try mounted("a") == "a")
        }

        @Test func `what did not change is not logged again`() throws {
            let big = (0..<4_000_000).map { _ in UInt8.random(in: 0...255) }
            try fixture.folder.write("data/big", big)
            try fixture.capture("a")
            try restore("out")
            _ = try follow("out")
            let rows = try fixture.run("timeline", "list", "--json").output
            let sizes = rows.split(separator: #""storedBytes":"#).dropFirst().compactMap { Int($0.prefix { $0.isNumber }) }
            #expect(sizes.count == 2 && sizes[0] > 4_000_000 && sizes[1] < 20_000, "\(rows)")
        }

        @Test func `a name can be given to the child, once`() throws {
            try fixture.capture("a")
            try restore("one")
            try restore("two")
            #expect(try follow("one", "--timeline", "try").output.contains("timeline try"))
            let other = try fixture.run("follow", "--once", "--no-stop", "two", "--timeline", "try")
            #expect(other.code == 1 && other.error.contains("does not go on from there") && other.error.contains("setfattr -x"), "\(other)")
            // Who names the parent, or nothing, means what the directory belongs to.
            #expect(try follow("one", "--timeline", "main").output.contains("timeline try"))
            #expect(try follow("one").output.contains("timeline try"))
            let moved = try fixture.run("follow", "--once", "--no-stop", "one", "--timeline", "new")
            #expect(moved.code == 1 && moved.error.contains("captured in timeline try"), "\(moved)")
            let planned = try fixture.run("follow", "-n", "two")
            #expect(planned.code == 0 && planned.output.contains("a new timeline, which leaves main at"), "\(planned)")
            #expect(try fixture.run("timeline", "list").lines.count == 2)
        }

        @Test func `a spool that is named is not shared with the parent`() throws {
            try fixture.capture("a")
            _ = try follow("data", "--spool", "spool")
            try restore("out")
            #expect(try follow("out", "--spool", "spool").output.contains("timeline main-2"))
            #expect(try fixture.folder.names(in: "spool/main-2").contains("life.json"))
            #expect(try follow("out", "--spool", "spool").output.contains("timeline main-2"))
            #expect(try follow("data", "--spool", "spool").output.contains("timeline main)"))
        }

        @Test func `a clone is made of nothing, and captured where it was restored`() throws {
            try fixture.capture("a")
            let made = try fixture.run("clone", "--at", "latest", "--timeline", "try")
            #expect(made.code == 0 && made.output.contains("asof --timeline try mount"), "\(made)")
            #expect(try fixture.folder.names(in: "repo/timelines/try") == ["head.json"])
            #expect(try fixture.run("clone", "--at", "latest", "--timeline", "try").code == 1)
            #expect(try fixture.run("clone", "--at", "latest").code == 64)
            #expect(try mounted("a", timeline: "try") == "a")
            #expect(try fixture.run("backup", "create", "--type", "base", "--timeline", "try").code == 20)
            try restore("one", timeline: "try")
            try restore("two", timeline: "try")
            #expect(try origin("one")?.timeline == "try")
            try write("one/a", "tried")
            #expect(try follow("one").output.contains("timeline try"))
            #expect(try mounted("a", timeline: "try") == "tried")
            #expect(try mounted("a") == "a")
            // It has something of its own now: the other folder is another history.
            #expect(try follow("two").output.contains("timeline try-2"))
            #expect(try mounted("a", timeline: "try-2") == "a")
        }

        @Test func `record hides what asof keeps on the root, and nothing else`() throws {
            try fixture.capture("a")
            try restore("out")
            let own = try SystemCall.open(fixture.folder.path("out"), O_RDONLY | O_DIRECTORY)
            try SystemCall.setExtendedAttribute(own.raw, "user.mine", [1])
            let capture = try fixture.start("record", "out", "mnt")
            #expect(try capture.error().contains("new timeline main-2"))
            let root = try SystemCall.open(fixture.folder.path("mnt"), O_RDONLY | O_DIRECTORY)
            let names = try SystemCall.extendedAttributeNames(root.raw).map { String(decoding: $0, as: UTF8.self) }
            #expect(names.contains("user.mine") && !names.contains { $0.hasPrefix("user.asof.") }, "\(names)")
            #expect(throws: Errno(ENODATA)) { try SystemCall.extendedAttribute(root.raw, DirectoryOrigin.attribute) }
            #expect(throws: Errno(EPERM)) { try SystemCall.setExtendedAttribute(root.raw, DirectoryOrigin.attribute, [1]) }
            let file = try SystemCall.open(fixture.folder.path("mnt/a"), O_RDWR)
            try SystemCall.setExtendedAttribute(file.raw, "user.asof.origin", [2])
            try file.close()
            try root.close()
            #expect(try fixture.run("backup", "create", "--timeline", "main-2").code == 0)
            try capture.stop()
            try restore("again", timeline: "main-2")
            let again = try SystemCall.open(fixture.folder.path("again"), O_RDONLY | O_DIRECTORY)
            #expect(try SystemCall.extendedAttribute(again.raw, "user.mine") == [1])
            let copied = try SystemCall.open(fixture.folder.path("again/a"), O_RDONLY)
            #expect(try SystemCall.extendedAttribute(copied.raw, "user.asof.origin") == [2])
            #expect(try origin("again")?.isCaptured == false)
        }

        @Test func `an origin that says nothing is named, and one of elsewhere does not count`() throws {
            try fixture.capture("a")
            try restore("out")
            let root = try SystemCall.open(fixture.folder.path("out"), O_RDONLY | O_DIRECTORY)
            try SystemCall.setExtendedAttribute(root.raw, DirectoryOrigin.attribute, Array("{".utf8))
            let refused = try fixture.run("follow", "--once", "--no-stop", "out")
            #expect(refused.code == 22 && refused.error.contains("setfattr -x"), "\(refused)")
            let elsewhere = #"{"lsn":3,"repository":"00000000000000000000000000000000","time":"","timeline":"main"}"#
            try SystemCall.setExtendedAttribute(root.raw, DirectoryOrigin.attribute, Array(elsewhere.utf8))
            #expect(try follow("out", "--timeline", "fresh").output.contains("timeline fresh"))
            #expect(try fixture.run("timeline", "list").lines.count == 2)
        }
    }
}
