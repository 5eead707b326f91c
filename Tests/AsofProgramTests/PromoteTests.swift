import AsofCore
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

/// What was changed in a mount becomes a plain directory, whole, or not at all.
@Suite("Promoting a mount", .serialized, .enabled(if: Mounted.isPossible, "this machine has no usable /dev/fuse"))
struct PromoteTests {
    private func mounted(_ fixture: ProgramFixture, _ arguments: String...) throws {
        let done = try fixture.run(["mount", "--at", "latest", "-q", "--rw"] + arguments + ["mnt"])
        try #require(done.code == 0, "\(done.error)")
    }

    /// Tests beside this one look at what all processes have open, and hold a mount for a moment by that.
    private func unmount(_ fixture: ProgramFixture) throws {
        #expect(eventually { (try? fixture.run("umount", "mnt").code) == 0 })
    }

    /// One file by the names `a` and `sub/link`, another by `b` and `sub/other`.
    private func linked(_ fixture: ProgramFixture) throws {
        let data = fixture.folder.path("data")
        try SystemCall.makeDirectory("\(data)/sub", mode: 0o755)
        for (name, link) in [("a", "sub/link"), ("b", "sub/other")] {
            try fixture.folder.write("data/\(name)", Array("old \(name)".utf8))
            try SystemCall.link(at: AT_FDCWD, "\(data)/\(name)", to: AT_FDCWD, "\(data)/\(link)")
        }
        try fixture.capture()
    }

    private func expectSame(_ fixture: ProgramFixture, _ target: String) throws {
        let mount = try TreeSnapshot(of: fixture.folder.path("mnt"))
        #expect(try TreeSnapshot(of: fixture.folder.path(target)).differences(from: mount).filter { !$0.hasPrefix(".:") } == [])
    }

    @Test(arguments: [nil, "promote.filled", "promote.cleared"])
    func `a file that lost the name by which it was changed keeps the change`(crash: String?) throws {
        let fixture = try ProgramFixture()
        try linked(fixture)
        try mounted(fixture)
        let mount = fixture.folder.path("mnt")
        try fixture.folder.write("mnt/a", Array("changed".utf8))
        try SystemCall.unlink("\(mount)/a")
        // By a name that something else is renamed over, and attributes only.
        try SystemCall.changeMode(at: AT_FDCWD, "\(mount)/b", 0o711)
        try fixture.folder.write("mnt/new", Array("new".utf8))
        try SystemCall.rename(at: AT_FDCWD, "\(mount)/new", to: AT_FDCWD, "\(mount)/b")
        let listed = try fixture.run("diff", "mnt").lines.sorted()
        #expect(listed == ["+ b  3 B", "- a", "- b", "m sub/other", "~ sub/link  7 B (7 B new)"])
        #expect(try fixture.run("promote", "mnt", "--to", "promoted").code == 0)
        if let crash { #expect(try fixture.crash(crash, "promote", "mnt", "--finalize").code == 128 + SIGKILL) }
        let done = try fixture.run("promote", "mnt", "--finalize")
        #expect(done.code == 0, "\(done.error)")
        try expectSame(fixture, "promoted")
        #expect(try SystemCall.readAll(path: fixture.folder.path("promoted/sub/link")) == Array("changed".utf8))
        try unmount(fixture)
    }

    /// 25 folders in each other, 5,000 bytes of path.
    @Test func `what lies deeper than a path can be long is promoted`() throws {
        let fixture = try ProgramFixture()
        let name = String(repeating: "n", count: 200)
        let down = "for i in $(seq 25); do cd \(name); done"
        #expect(try fixture.shell("cd data; for i in $(seq 25); do mkdir \(name); cd \(name); done; echo old > leaf; echo gone > gone; echo moved > moved").code == 0)
        try fixture.capture("a")
        try mounted(fixture)
        let changed = try fixture.shell("cd mnt; \(down); echo changed > leaf; rm gone; mv moved named; mkdir new; echo new > new/file; ln leaf new/link; ln -s leaf symbolic; mkfifo pipe; chmod 600 leaf")
        #expect(changed.code == 0, "\(changed)")
        let done = try fixture.run("promote", "mnt", "--to", "out", "--finalize")
        #expect(done.code == 0, "\(done.error.suffix(300))")
        let list = "\(down); ls -F . new; cat leaf named new/file new/link symbolic; stat -c '%a %h' leaf"
        let (past, promoted) = (try fixture.shell("cd mnt; \(list)"), try fixture.shell("cd out; \(list)"))
        #expect(past.code == 0 && promoted.output == past.output && promoted.output.contains("changed"), "\(past.output) \(promoted)")
        try unmount(fixture)
        #expect(try fixture.shell("rm -rf data out").code == 0)
    }

    @Test func `every name that a file lost is listed`() throws {
        let fixture = try ProgramFixture()
        try linked(fixture)
        try mounted(fixture)
        let mount = fixture.folder.path("mnt")
        try SystemCall.unlink("\(mount)/a")
        try SystemCall.rename(at: AT_FDCWD, "\(mount)/sub/link", to: AT_FDCWD, "\(mount)/moved")
        try SystemCall.unlink("\(mount)/b")
        #expect(try fixture.run("diff", "mnt").lines == ["- a", "- b", "> sub/link -> moved"])
        try unmount(fixture)
    }

    /// The past that one overlay's promotion wrote is another's, too; changes are not.
    @Test(arguments: ["promote.frozen.after", "promote.departed.after", "promote.arrived", "promote.finished.before", "restore.switch.before", "restore.switch.ended"])
    func `a promotion does not go on with what another mount changed`(crash: String) throws {
        let fixture = try ProgramFixture()
        try fixture.capture("kept", "changed")
        for name in ["first", "second"] {
            try mounted(fixture, "--overlay", name)
            try fixture.folder.write("mnt/\(name)", Array(name.utf8))
            if name == "first" {
                #expect(try fixture.run("promote", "mnt", "--to", "promoted").code == 0)
                #expect(try fixture.crash(crash, "promote", "mnt", "--finalize").code == 128 + SIGKILL)
            } else {
                let other = try fixture.run("promote", "mnt", "--to", "promoted", "--finalize")
                if crash == "promote.frozen.after" {
                    #expect(other.code == 0, "\(other.error)")
                    try expectSame(fixture, "promoted")
                } else {
                    #expect(other.code == 1, "\(other)")
                    #expect(other.error.contains(crash == "restore.switch.ended" ? "not empty" : "the changes of another mount"), "\(other.error)")
                    try fixture.folder.write("mnt/later", Array("later".utf8))
                }
            }
            try unmount(fixture)
        }
        guard crash != "promote.frozen.after" else { return }
        try mounted(fixture, "--overlay", "first")
        let done = try fixture.run("promote", "mnt", "--finalize")
        #expect(done.code == 0, "\(done.error)")
        try expectSame(fixture, "promoted")
        try unmount(fixture)
    }

    @Test func `changes of a mount that died are not taken for those of the next one`() throws {
        let fixture = try ProgramFixture()
        try fixture.capture("a")
        let server = try fixture.start(["mount", "--at", "latest", "--rw", "--foreground", "mnt"], until: "as of")
        try fixture.folder.write("mnt/lost", Array("lost".utf8))
        #expect(try fixture.crash("promote.arrived", "promote", "mnt", "--to", "promoted", "--finalize").code == 128 + SIGKILL)
        try server.child.kill(SIGKILL)
        _ = try server.child.wait()
        #expect(try fixture.run("umount", "--lazy", "mnt").code == 0)
        try mounted(fixture)
        #expect(try fixture.run("promote", "mnt", "--to", "promoted", "--finalize").error.contains("the changes of another mount"))
        #expect(try fixture.run("promote", "mnt", "--to", "other", "--finalize").code == 0)
        #expect(try TreeSnapshot.names(in: fixture.folder.path("other")) == ["a"])
        try unmount(fixture)
    }

    @Test func `an overlay that an older program made gets an identity`() throws {
        let fixture = try ProgramFixture()
        try fixture.capture("a")
        try mounted(fixture, "--overlay", "o")
        try unmount(fixture)
        let path = fixture.folder.path("o/overlay.json")
        let known = String(decoding: try SystemCall.readAll(path: path), as: UTF8.self)
        let id = try #require(known.firstMatch(of: /"id":"[0-9a-f]{32}",/))
        try fixture.folder.write("o/overlay.json", Array(known.replacing(id.output, with: "").utf8))
        try mounted(fixture, "--overlay", "o")
        let again = String(decoding: try SystemCall.readAll(path: path), as: UTF8.self)
        #expect(again.contains(/"id":"[0-9a-f]{32}",/) && again != known)
        try unmount(fixture)
    }

    /// What stands in mapped memory would be refused after the freeze, and nobody told.
    @Test func `a mount is not frozen while somebody can write to it`() throws {
        let fixture = try ProgramFixture()
        try fixture.capture("a")
        try mounted(fixture)
        let path = fixture.folder.path("mnt/a")
        let file = try SystemCall.open(path, O_RDWR)
        let address = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file.raw, 0)
        let page = try #require(address == MAP_FAILED ? nil : address)
        _ = consume file
        page.storeBytes(of: UInt8(ascii: "A"), as: UInt8.self)
        let refused = try fixture.run("promote", "mnt", "--to", "promoted", "--finalize")
        #expect(refused.code == 11 && refused.error.contains("open for writing"), "\(refused)")
        page.storeBytes(of: UInt8(ascii: "B"), as: UInt8.self)
        munmap(page, 4096)
        #expect(try fixture.run("promote", "mnt", "--finalize").code == 0)
        #expect(try SystemCall.readAll(path: fixture.folder.path("promoted/a")) == Array("B".utf8))
        try unmount(fixture)
    }

    @Test func `writing the changes ends at a signal, keeps to the limit, and goes on`() throws {
        let fixture = try ProgramFixture()
        try fixture.capture("a")
        try mounted(fixture)
        try fixture.folder.write("mnt/large", [UInt8](repeating: 7, count: 16 << 20))
        #expect(try fixture.run("promote", "mnt", "--to", "promoted").code == 0)
        // Four seconds' work.
        let began = SystemClock.monotonicNanoseconds()
        let promoting = try fixture.start(["promote", "mnt", "--finalize", "--limit", "4MiB"], until: "")
        let part = fixture.folder.path("promoted.asof-promoting/tree/large")
        #expect(eventually { ((try? SystemCall.status(part).attributes.size) ?? 0) >= 1 << 20 })
        try promoting.child.kill(SIGTERM)
        #expect(try promoting.child.wait() == .exited(130))
        #expect(SystemClock.monotonicNanoseconds() - began < 3_500_000_000)
        let said = try promoting.error()
        #expect(said.contains("the same command goes on"), "\(said)")
        let again = SystemClock.monotonicNanoseconds()
        #expect(try fixture.run("promote", "mnt", "--finalize", "--limit", "16MiB").code == 0)
        #expect(SystemClock.monotonicNanoseconds() - again > 800_000_000)
        try expectSame(fixture, "promoted")
        try unmount(fixture)
    }

    private static let mkfs = "/usr/sbin/mkfs.ext4"

    /// ext4 has room for attributes of less than a block a file; a mount, and a tmpfs, take 64 KiB each.
    @Test(.enabled(if: access(mkfs, X_OK) == 0 && access("/dev/loop-control", R_OK) == 0, "no ext4 can be made here"))
    func `what one file system cannot hold is promoted to another one`() throws {
        let fixture = try ProgramFixture()
        try fixture.capture("a")
        for name in ["ext4", "tmpfs"] { try SystemCall.makeDirectory(fixture.folder.path(name), mode: 0o755) }
        let (small, roomy, image) = (fixture.folder.path("ext4"), fixture.folder.path("tmpfs"), fixture.folder.path("image"))
        try fixture.folder.write("image", [])
        let empty = try SystemCall.open(image, O_WRONLY)
        try SystemCall.truncate(empty.raw, to: 64 << 20)
        _ = consume empty
        for command in [[Self.mkfs, "-q", image], ["/usr/bin/mount", "-o", "loop", image, small]] {
            let child = try ChildProcess.spawn(command[0], arguments: command, output: .null, error: .null)
            try #require(try child.wait() == .exited(0))
        }
        defer { umount2(small, Int32(MNT_DETACH)) }
        try #require(Glibc.mount("tmpfs", roomy, "tmpfs", 0, "size=80m") == 0)
        defer { umount2(roomy, Int32(MNT_DETACH)) }
        try mounted(fixture, "--overlay", "o")
        let (name, value) = (try #require(Name("user.large")), [UInt8](repeating: 7, count: 60_000))
        let file = try SystemCall.open(fixture.folder.path("mnt/a"), O_RDONLY)
        try SystemCall.setExtendedAttribute(file.raw, name, value)
        _ = consume file
        let refused = try fixture.run("promote", "mnt", "--to", "ext4/promoted", "--finalize")
        #expect(refused.code == 1 && refused.error.contains("does not hold the extended attribute user.large of 60000 bytes"), "\(refused)")
        #expect(!refused.error.contains("free space"))
        // A frozen mount is the same everywhere.
        let other = try fixture.run("promote", "mnt", "--to", "tmpfs/promoted", "--finalize")
        #expect(other.code == 0 && other.error.contains("ext4/promoted.asof-promoting: remove it"), "\(other)")
        try expectSame(fixture, "tmpfs/promoted")
        #expect(try fixture.run("promote", "mnt", "--to", "third").error.contains("tmpfs/promoted already"))
        try unmount(fixture)
    }

    @Test func `tells of no promotion that nobody began`() throws {
        let fixture = try ProgramFixture()
        try fixture.capture("a")
        try mounted(fixture)
        for to in [["--to", "promoted"], []] {
            let told = try fixture.run(["promote", "mnt", "--status"] + to)
            #expect(told.code == 1 && told.output.isEmpty && told.error.contains("was begun"), "\(told)")
        }
        #expect(try fixture.run("promote", "mnt", "--to", "promoted", "-q").code == 0)
        #expect(try fixture.run("promote", "mnt", "--status", "--to", "other").error.contains("and not to"))
        #expect(try fixture.run("promote", "mnt", "--status", "--to", "promoted").output.contains("the past is written"))
        try unmount(fixture)
    }

    @Test func `a promotion that ended but for a note goes nowhere else`() throws {
        let fixture = try ProgramFixture()
        try fixture.capture("a")
        try mounted(fixture)
        #expect(try fixture.crash("restore.switch.ended", "promote", "mnt", "--to", "promoted", "--finalize").code == 128 + SIGKILL)
        #expect(try fixture.run("promote", "mnt", "--to", "other").error.contains("promoted already"))
        // A restore of that state is something else: the changes are in it.
        let restored = try fixture.run("restore", "--at", "latest", "--to", "promoted")
        #expect(restored.code == 1 && restored.error.contains("is not empty"), "\(restored)")
        #expect(try fixture.run("promote", "mnt", "--finalize").code == 0)
        try unmount(fixture)
    }

    @Test func `a mount whose server was killed is told of, with what helps`() throws {
        let fixture = try ProgramFixture()
        try fixture.capture("a")
        let server = try fixture.start(["mount", "--at", "latest", "--rw", "--overlay", "o", "--foreground", "mnt"], until: "as of")
        try server.child.kill(SIGKILL)
        _ = try server.child.wait()
        for command in [["diff", "mnt"], ["promote", "mnt", "--to", "promoted"]] {
            let failed = try fixture.run(command)
            #expect(failed.code == 1 && failed.error.contains("has ended") && failed.error.contains("asof umount --lazy"), "\(failed)")
        }
        #expect(try fixture.run("umount", "--lazy", "mnt").code == 0)
        #expect(try fixture.run("diff", "mnt").error.contains("no asof mount"))
    }

    @Test(arguments: [[], ["--finalize"]])
    func `a server that is killed while its mount is promoted is told of`(options: [String]) throws {
        let fixture = try ProgramFixture()
        var generator = SystemRandomNumberGenerator()
        let page = (0..<1 << 19).map { _ in UInt8.random(in: 0...255, using: &generator) }
        // Two seconds' work.
        for number in 0..<16 { try fixture.folder.write("data/\(number)", [UInt8(number)] + page) }
        try fixture.capture()
        let server = try fixture.start(["mount", "--at", "latest", "--rw", "--overlay", "o", "--foreground", "mnt"], until: "as of")
        let promoting = try fixture.start(["promote", "mnt", "--to", "promoted", "--limit", "4MiB"] + options, until: "")
        #expect(eventually { (try? SystemCall.status(fixture.folder.path("promoted.asof-promoting/tree"))) != nil })
        try server.child.kill(SIGKILL)
        _ = try server.child.wait()
        #expect(try promoting.child.wait() != .exited(0))
        let said = try promoting.error()
        #expect(said.contains("has ended") && said.contains("asof umount --lazy"), "\(said)")
    }

    @Test func `a mount that is frozen says so, and what goes on`() throws {
        let fixture = try ProgramFixture()
        try fixture.capture("a")
        try mounted(fixture, "--overlay", "o")
        #expect(try fixture.crash("promote.departed.after", "promote", "mnt", "--to", "promoted", "--finalize").code == 128 + SIGKILL)
        for _ in 0..<2 {
            let status = try fixture.run("promote", "mnt", "--status")
            #expect(status.output.contains("frozen") && status.output.contains("asof promote mnt --finalize"), "\(status)")
            #expect(try fixture.run("promote", "mnt", "--status", "--json").output.contains("\"stage\":\"frozen\""))
            try unmount(fixture)
            let again = try fixture.run("mount", "--at", "latest", "--rw", "--overlay", "o", "mnt")
            #expect(again.code == 0 && again.error.contains("is being promoted to \(fixture.folder.path("promoted"))"), "\(again)")
        }
        #expect(try fixture.run("promote", "mnt", "--finalize").code == 0)
        try unmount(fixture)
        #expect(try fixture.run("mount", "--at", "latest", "--rw", "--overlay", "o", "mnt").error.contains("was promoted to"))
        try unmount(fixture)
    }

    @Test func `a target that cannot be made does not replace the one that was begun`() throws {
        let fixture = try ProgramFixture()
        try fixture.capture("a")
        try mounted(fixture)
        #expect(try fixture.run("promote", "mnt", "--to", "promoted").code == 0)
        // Nothing can be made there.
        let failed = try fixture.run("promote", "mnt", "--to", "/proc/promoted")
        #expect(failed.code == 1 && !failed.error.contains("remove it"), "\(failed)")
        let done = try fixture.run("promote", "mnt", "--finalize", "--json")
        #expect(done.output.contains("\"directory\":\"\(fixture.folder.path("promoted"))\""), "\(done)")
        try unmount(fixture)
    }

    @Test func `an overlay and its mount point do not lie in each other`() throws {
        let fixture = try ProgramFixture()
        try fixture.capture("a")
        for (overlay, mountPoint) in [("mnt", "mnt"), ("mnt/o", "mnt"), ("mnt/o/deeper", "mnt"), (".", "mnt")] {
            let refused = try fixture.run("mount", "--at", "latest", "--rw", "--overlay", overlay, mountPoint)
            #expect(refused.code == 64 && refused.error.contains(" lies in "), "\(refused)")
        }
    }
}
