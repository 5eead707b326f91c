import AsofCore
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

extension ProgramTests {
    @Suite(.enabled(if: ProgramFixture.canFollow))
    struct MountingForOneCommand {
        let fixture: ProgramFixture

        init() throws {
            fixture = try ProgramFixture()
            try fixture.capture("a")
            // The past: `a` holds "a". The present is another.
            try fixture.folder.write("data/a", Array("present".utf8))
        }

        private func mount(_ arguments: String..., then script: String) throws -> ProgramFixture.Outcome {
            try fixture.run(["mount", "--at", "latest", "-q"] + arguments + ["--", "sh", "-c", script])
        }

        private func present() throws -> String { String(decoding: try fixture.folder.read("data/a"), as: UTF8.self) }

        @Test func `shows the past to the command alone, also over a folder in use`() throws {
            let seen = try mount("data", then: "cat data/a; cd data && cat a")
            #expect(seen.code == 0 && seen.output == "aa", "\(seen)")
            #expect(try present() == "present")
            #expect(try !String(decoding: SystemCall.readAll(path: "/proc/self/mountinfo"), as: UTF8.self).contains(fixture.folder.path))
        }

        /// Where mounts are not shared between namespaces those of asof are not in the command's.
        @Test func `never runs the command elsewhere than where it was given`() throws {
            let capture = try fixture.start("record", "--state-dir", "other", "--spool", "spool", "--timeline", "live", "data", "mnt")
            let mount = fixture.folder.path("mnt")
            try SystemCall.makeDirectory("\(mount)/sub", mode: 0o755)
            let over = try fixture.run(["mount", "--at", "latest", "-q", ".", "--", "sh", "-c", "pwd; cat a"], in: "mnt")
            #expect(over.code == 0 && over.output == "\(mount)\na", "\(over)")
            let beside = try fixture.run(["mount", "--at", "latest", "-q", "--", "sh", "-c", "pwd; ls -a"], in: "mnt/sub")
            #expect(beside.code == 0 && beside.output.hasPrefix("\(mount)/sub\n") || beside.code == 1 && beside.error.contains("you stand in \(mount)"), "\(beside)")
            // What is kept there would be captured, or be kept below the mount, where nobody sees it.
            try SystemCall.symbolicLink(target: "mnt", at: AT_FDCWD, fixture.folder.path("link"))
            for (overlay, what) in [("mnt/o", "a mount of asof"), ("link/o", "a mount of asof"), ("data/o", "`asof record` captures"), ("repo/o", "the repository")] {
                let refused = try fixture.run("mount", "--at", "latest", "--rw", "--overlay", overlay, "-q", "--", "true")
                #expect(refused.code == 64 && refused.error.contains(what), "\(refused)")
            }
            let within = try fixture.run("mount", "--at", "latest", "-q", "mnt/sub", "--", "true")
            #expect(within.code == 0 || within.code == 64 && within.error.contains("does not see"), "\(within)")
            try capture.stop()
        }

        @Test func `does not give the command the repository's key`() throws {
            let key = String(repeating: "5a", count: 32)
            fixture.variables = ["THE_KEY=\(key)"]
            #expect(try fixture.run("init", "--repo", fixture.folder.path("sealed"), "--key-env", "THE_KEY", "-q").code == 0)
            #expect(try fixture.run("follow", "--repo", fixture.folder.path("sealed"), "--key-env", "THE_KEY", "--once", "--no-stop", "data").code == 0)
            let seen = try fixture.run("mount", "--repo", fixture.folder.path("sealed"), "--key-env", "THE_KEY", "--at", "latest", "-q", "--", "env")
            #expect(seen.code == 0 && seen.output.contains("ASOF_MOUNT=") && !seen.output.contains(key), "\(seen)")
        }

        @Test func `needs a folder to stand in`() throws {
            try SystemCall.makeDirectory(fixture.folder.path("gone"), mode: 0o755)
            let gone = try fixture.shell("cd gone && rmdir ../gone && asof mount --repo \(fixture.folder.path("repo")) --at latest -q -- pwd")
            #expect(gone.code == 1 && gone.output.isEmpty && gone.error.contains("is not there any more"), "\(gone)")
        }

        @Test func `is listed while the command runs`() throws {
            let seen = try mount(then: "\(ProgramFixture.program) status")
            let (past, program) = (fixture.folder.path("state/past"), ProgramFixture.program)
            let line = seen.lines.first { $0.hasPrefix("mount       \(past): 2") } ?? ""
            #expect(line.contains("seen by sh -c '\(program) status' alone"), "\(seen)")
            #expect(try !fixture.run("status").output.contains(past))
            // Killed, it leaves nothing behind that is listed.
            #expect(try mount(then: "kill -9 $PPID; sleep 0.1").code != 0)
            #expect(try !fixture.run("status").output.contains(past))
        }

        @Test func `finds a folder by itself and says which`() throws {
            let seen = try mount(then: "echo $ASOF_MOUNT; cat $ASOF_MOUNT/a")
            #expect(seen.output == "\(fixture.folder.path("state/past"))\na", "\(seen)")
        }

        @Test func `starts the command in the past where its folder is covered`() throws {
            let seen = try fixture.run(["mount", "--at", "latest", "-q", ".", "-r", "../repo", "--state-dir", "../state", "--", "cat", "a"], in: "data")
            #expect(seen.output == "a", "\(seen)")
        }

        @Test(arguments: [
            ("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137), ("exec nosuch-command", 127), ("exec /etc/passwd", 126),
        ] as [(String, Int32)])
        func `ends as the command ends`(_ script: String, _ code: Int32) throws {
            #expect(try mount(then: script).code == code)
        }

        @Test func `says as a shell does that a command is not there`() throws {
            let missing = try fixture.run("mount", "--at", "latest", "-q", "--", "nosuch-command")
            #expect(missing.code == 127 && missing.error == "asof: cannot run nosuch-command: No such file or directory\n", "\(missing)")
            #expect(try fixture.run("mount", "--at", "latest", "-q", "--", "/etc/passwd").code == 126)
        }

        @Test func `lets changes go with the command, or keeps them`() throws {
            #expect(try mount("--rw", "data", then: "echo changed > data/a; cat data/a").output == "changed\n")
            #expect(try mount("data", then: "cat data/a").output == "a")
            #expect(try fixture.folder.names(in: "state/overlays").isEmpty)
            #expect(try mount("--rw", "--overlay", "kept", "data", then: "echo changed > data/a").code == 0)
            #expect(try mount("--rw", "--overlay", "kept", "data", then: "cat data/a").output == "changed\n")
            #expect(try present() == "present")
        }

        @Test func `says that nobody can list what differs where one command alone sees it`() throws {
            let seen = try mount("--rw", "data", then: "\(ProgramFixture.program) diff data")
            #expect(seen.code == 1 && seen.error.contains("seen by one command alone, sh -c") && seen.error.contains("--overlay"), "\(seen)")
        }

        @Test func `ends though the command leaves processes behind, which find the mount gone`() throws {
            let script = "cd data; (exec 3<a; sleep 1; cat a || echo gone > \(fixture.folder.path("left"))) 2> /dev/null & sleep 0.1"
            let start = ContinuousClock.now
            #expect(try mount("data", then: script).code == 0)
            #expect(.now - start < .milliseconds(900))
            #expect(eventually { access(fixture.folder.path("left"), F_OK) == 0 })
        }

        @Test func `refuses to hide what it needs itself`() throws {
            let refused = try mount(".", then: "true")
            #expect(refused.code == 64 && refused.error.contains("would be hidden"), "\(refused)")
            #expect(try mount("--rw", "--overlay", "data/kept", "data", then: "true").code == 64)
            #expect(try mount("--foreground", "data", then: "true").code == 64)
        }

        @Test func `works for a user without privileges, who gets none by it`() throws {
            // The device is root's here: covered by one for all, in the mount namespace of a command.
            let script = """
                set -e
                chmod 755 . && chmod -R a+rX repo && mkdir user && chown 65534 user && cp \(ProgramFixture.program) user/asof
                mknod user/fuse c 10 229 && chmod 666 user/fuse && mount --bind user/fuse /dev/fuse
                export ASOF_STATE_DIR=$PWD/user/state
                user() { setpriv --reuid 65534 --regid 65534 --clear-groups user/asof "$@"; }
                user mount --at latest -q --rw -- sh -c 'id -u; cat $ASOF_MOUNT/a; echo; echo x > $ASOF_MOUNT/a; cat $ASOF_MOUNT/a; grep CapEff /proc/self/status'
                user start --at latest -q --ready-path '' --host-name there -- sh -c 'hostname >&2; kill -TERM $$' || echo $?
                """
            let seen = try mount(then: script)
            #expect(seen.output == "65534\na\nx\nCapEff:\t0000000000000000\n143\n", "\(seen)")
            #expect(seen.error.contains("there\n"))
        }

        /// A command's namespace begins with a copy of every mount of the host: where ends of mounts do not propagate, that would keep their servers.
        @Test func `keeps no other mount from ending`() throws {
            try SystemCall.makeDirectory(fixture.folder.path("other"), mode: 0o755)
            #expect(try fixture.run("mount", "--at", "latest", "-q", "other").code == 0)
            let command = try fixture.start("mount", "--at", "latest", "-q", "data", "--", "sh", "-c", "echo ready; sleep 100")
            let ended = try fixture.run("umount", "other")
            #expect(ended.code == 0, "\(ended.error)")
            try command.child.kill(SIGTERM)
            _ = try command.child.wait()
        }

        @Test func `hands signals on, and takes the command with it when it is killed`() throws {
            let script = "trap 'echo told >> told' TERM; echo ready; n=0; while [ $n -lt 600 ]; do sleep 0.1; n=$((n + 1)); [ -f stop ] && exit 9; done"
            let told = try fixture.start("mount", "--at", "latest", "-q", "data", "--", "sh", "-c", script)
            try told.child.kill(SIGTERM)
            #expect(eventually { access(fixture.folder.path("told"), F_OK) == 0 })
            try fixture.folder.write("stop", [])
            #expect(try told.child.wait() == .exited(9))
            try SystemCall.unlink(fixture.folder.path("stop"))

            let killed = try fixture.start("mount", "--at", "latest", "-q", "--rw", "data", "--", "sh", "-c", "echo ready; echo $$ > pid; exec sleep 600")
            #expect(eventually { (try? fixture.folder.read("pid"))?.last == 0x0A })
            let pid = try #require(Int32(String(decoding: fixture.folder.read("pid").dropLast(), as: UTF8.self)))
            try killed.child.kill(SIGKILL)
            #expect(eventually { (try? ProcessIdentity.of(pid)) == nil })
            #expect(eventually { (try? fixture.folder.names(in: "state/overlays")) == [] })
        }
    }
}
