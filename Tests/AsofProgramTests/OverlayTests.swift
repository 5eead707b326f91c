import AsofCore
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

/// Mounts that can be changed, as a user meets them.
@Suite("Changing the past", .serialized, .enabled(if: Mounted.isPossible, "this machine has no usable /dev/fuse"))
struct OverlayTests {
    private func mounted(_ fixture: ProgramFixture, _ arguments: String...) throws {
        let done = try fixture.run(["mount", "--at", "latest", "-q"] + arguments + ["mnt"])
        try #require(done.code == 0, "\(done.error)")
    }

    @Test func `changes are listed, kept, and made a directory`() throws {
        let fixture = try ProgramFixture()
        try fixture.capture("kept", "gone", "moved", "changed")
        try mounted(fixture, "--rw", "--overlay", "overlay")
        let (mount, folder) = (fixture.folder.path("mnt"), fixture.folder)
        try SystemCall.unlink("\(mount)/gone")
        try SystemCall.rename(at: AT_FDCWD, "\(mount)/moved", to: AT_FDCWD, "\(mount)/elsewhere")
        try folder.write("mnt/changed", Array("changed much".utf8))
        try folder.write("mnt/new", Array("new".utf8))
        #expect(try fixture.run("diff", "mnt").lines == ["~ changed  12 B (12 B new)", "> moved -> elsewhere", "- gone", "+ new  3 B"])
        #expect(try fixture.run("status", "mnt").output.contains("with changes in \(folder.path("overlay"))"))
        #expect(try fixture.run("umount", "mnt").code == 0)

        // The same command finds them again; so does one that means a later state by now.
        try fixture.capture(again: "later")
        try mounted(fixture, "--rw", "--overlay", "overlay")
        #expect(try TreeSnapshot.names(in: mount).sorted() == ["changed", "elsewhere", "kept", "new"])
        let other = try fixture.run("mount", "--at", "lsn:\(try fixture.newest())", "--rw", "--overlay", "overlay", "model")
        #expect(other.code != 0)

        #expect(try fixture.run("promote", "mnt").code == 64)
        #expect(try fixture.run("promote", "mnt", "--to", "data").code == 1)
        let begun = try fixture.run("promote", "mnt", "--to", "promoted")
        #expect(begun.output.contains("4 changes are left"), "\(begun.error)")
        try folder.write("mnt/new", Array("newer".utf8))
        let done = try fixture.run("promote", "mnt", "--finalize")
        #expect(done.code == 0, "\(done.error)")
        #expect(try TreeSnapshot(of: folder.path("promoted")).differences(from: try TreeSnapshot(of: mount)).filter { !$0.hasPrefix(".:") } == [])
        #expect(throws: Errno(EROFS)) { try SystemCall.makeDirectory("\(mount)/late", mode: 0o755) }
        #expect(try fixture.run("promote", "mnt", "--finalize").error.contains("already"))
        #expect(try fixture.run("umount", "mnt").code == 0)
    }

    /// Whom everything belongs to in a mount is the mount's own matter: another one may show it in another way, and a promotion restores.
    @Test func `owners of a mount are not kept in its overlay`() throws {
        let fixture = try ProgramFixture()
        try fixture.capture("a", "b", "given")
        try mounted(fixture, "--rw", "--overlay", "o", "--owner", "77:88")
        func owners(_ folder: String) throws -> [String] {
            try ["", "a", "b", "given", "new"].map { name in
                let attributes = try SystemCall.status(fixture.folder.path("\(folder)/\(name)"), following: false).attributes
                return "\(attributes.owner):\(attributes.group)"
            }
        }
        try fixture.folder.write("mnt/a", [1])
        try fixture.folder.write("mnt/new", [2])
        try #require(chown(fixture.folder.path("mnt/given"), 5, 6) == 0)
        #expect(try owners("mnt") == ["77:88", "77:88", "77:88", "5:6", "0:0"])
        #expect(try fixture.run("umount", "mnt").code == 0)
        try mounted(fixture, "--rw", "--overlay", "o")
        #expect(try owners("mnt") == ["0:0", "0:0", "0:0", "5:6", "0:0"])
        #expect(try fixture.run("promote", "mnt", "--to", "promoted", "--finalize").code == 0)
        #expect(try owners("promoted") == ["0:0", "0:0", "0:0", "5:6", "0:0"])
        #expect(try fixture.run("umount", "mnt").code == 0)
    }

    @Test func `what is asked for wrongly is refused with a reason`() throws {
        let fixture = try ProgramFixture()
        try fixture.capture("a")
        #expect(try fixture.run("mount", "--rw", "mnt").error.contains("--rw needs --at"))
        #expect(try fixture.run("mount", "--at", "latest", "--overlay", "o", "mnt").error.contains("add --rw"))
        #expect(try fixture.run("mount", "--at", "latest", "--rw", "--overlay", "data", "mnt").error.contains("not empty, and no overlay"))
        try mounted(fixture)
        #expect(try fixture.run("diff", "mnt").error.contains("has no overlay"))
        #expect(try fixture.run("promote", "mnt", "--to", "new").code == 1)
        #expect(try fixture.run("diff", "data").error.contains("no asof mount"))
        #expect(try fixture.run("umount", "mnt").code == 0)
        try mounted(fixture, "--rw", "--overlay", "o")
        try SystemCall.makeDirectory(fixture.folder.path("second"), mode: 0o755)
        #expect(try fixture.run("promote", "mnt", "--to", "o/inside").error.contains("lies in the overlay"))
        #expect(try fixture.run("promote", "mnt", "--to", "first").code == 0)
        #expect(try fixture.run("promote", "mnt", "--to", "other").error.contains("first.asof-promoting: remove it"))
        let twice = try fixture.run("mount", "--at", "latest", "--rw", "--overlay", "o", "second")
        #expect(twice.code == 11 && twice.error.contains("mounted already"))
        #expect(try fixture.run("umount", "mnt").code == 0)
        try fixture.folder.write("o/table", [1, 2, 3])
        let damaged = try fixture.run("mount", "--at", "latest", "--rw", "--overlay", "o", "mnt")
        #expect(damaged.code == 22 && damaged.error.contains("o/table is damaged"))
    }

    @Test func `an attribute that no disk has is not taken`() throws {
        let fixture = try ProgramFixture()
        try fixture.capture("a")
        try mounted(fixture, "--rw")
        let file = try SystemCall.open(fixture.folder.path("mnt/a"), O_RDONLY)
        for name in ["nonsense", "system.mine", "user", "user.", "trusted.", "security.", "other.mine"] {
            #expect(throws: Errno(EOPNOTSUPP), "\(name)") { try SystemCall.setExtendedAttribute(file.raw, Name(unchecked: Array(name.utf8)), [1]) }
        }
        try SystemCall.setExtendedAttribute(file.raw, Name(unchecked: Array("user.mine".utf8)), [1])
        _ = consume file
        #expect(try fixture.run("promote", "mnt", "--to", "out", "--finalize").code == 0)
        #expect(eventually { (try? fixture.run("umount", "mnt").code) == 0 })
    }

    /// A disk that is full refuses what has no room, keeps the rest, and goes on when there is room.
    @Test func `a full disk under an overlay is an error that passes`() throws {
        let fixture = try ProgramFixture()
        try fixture.capture("a")
        let disk = fixture.folder.path("disk")
        try SystemCall.makeDirectory(disk, mode: 0o755)
        try #require(Glibc.mount("tmpfs", disk, "tmpfs", 0, "size=160m") == 0)
        defer { umount2(disk, Int32(MNT_DETACH)) }
        try mounted(fixture, "--rw", "--overlay", "disk/overlay")
        let mount = fixture.folder.path("mnt")
        let piece = [UInt8](repeating: 7, count: 1 << 20)
        let file = try SystemCall.open("\(mount)/large", O_WRONLY | O_CREAT, mode: 0o644)
        var written: UInt64 = 0
        let full = #expect(throws: Errno.self) {
            while written < 200 << 20 {
                let count = try piece.withUnsafeBytes { try SystemCall.writeSome(file.raw, at: written, $0) }
                written += UInt64(count)
            }
        }
        #expect(full == Errno(ENOSPC))
        // The journal has what a checkpoint leaves of it, and not as much as the bytes: that ended the writing at less than half of the disk.
        #expect(written > 100 << 20, "\(written)")
        // Everything that was answered is there.
        #expect(try SystemCall.readAll(path: "\(mount)/large").count == Int(written))
        try SystemCall.unlink("\(mount)/large")
        try SystemCall.truncate(file.raw, to: 0)
        _ = consume file
        let isRelieved = eventually {
            guard let small = try? SystemCall.open("\(mount)/small", O_WRONLY | O_CREAT, mode: 0o644) else { return false }
            return (try? SystemCall.writeFully(small.raw, at: 0, piece)) != nil && (try? SystemCall.sync(small.raw)) != nil
        }
        #expect(isRelieved)
        #expect(try fixture.run("umount", "mnt").code == 0)
        try mounted(fixture, "--rw", "--overlay", "disk/overlay")
        #expect(try SystemCall.readAll(path: "\(mount)/small") == piece)
        #expect(try TreeSnapshot.names(in: mount).sorted() == ["a", "small"])
        #expect(try fixture.run("umount", "mnt").code == 0)
    }

    /// A promotion cannot be taken back once it is final, so what it needs is asked for before.
    @Test func `a promotion whose changes have no room is refused while the mount can still be changed`() throws {
        let fixture = try ProgramFixture()
        try fixture.capture("a")
        let disk = fixture.folder.path("disk")
        try SystemCall.makeDirectory(disk, mode: 0o755)
        try #require(Glibc.mount("tmpfs", disk, "tmpfs", 0, "size=4m") == 0)
        defer { umount2(disk, Int32(MNT_DETACH)) }
        try mounted(fixture, "--rw")
        try fixture.folder.write("mnt/large", [UInt8](repeating: 1, count: 8 << 20))
        let refused = try fixture.run("promote", "mnt", "--to", "disk/new", "--finalize")
        #expect(refused.code == 1 && refused.error.contains("too few"), "\(refused)")
        try fixture.folder.write("mnt/large", [UInt8](repeating: 2, count: 1 << 20))
        #expect(try fixture.run("promote", "mnt", "--finalize").code == 0)
        #expect(try SystemCall.readAll(path: "\(disk)/new/large") == [UInt8](repeating: 2, count: 1 << 20))
        #expect(try fixture.run("umount", "mnt").code == 0)
    }

    /// What the repository cannot give is EIO, what the overlay has is still there.
    @Test func `a repository that is gone is an error for what needs it`() throws {
        let fixture = try ProgramFixture()
        try fixture.capture("a", "b")
        try mounted(fixture, "--rw")
        try fixture.folder.write("mnt/new", Array("new".utf8))
        let segments = fixture.folder.path("repo/timelines/main/segments")
        var whole: [String: [UInt8]] = [:]
        for name in try TreeSnapshot(of: segments).entries.filter({ $0.value.status.attributes.isRegular }).keys {
            let path = "\(segments)/\(name)"
            whole[path] = try SystemCall.readAll(path: path)
            try overwrite(path, [UInt8](repeating: 0, count: whole[path]?.count ?? 0))
        }
        #expect(try SystemCall.readAll(path: fixture.folder.path("mnt/new")) == Array("new".utf8))
        #expect(throws: Errno(EIO)) { try SystemCall.readAll(path: fixture.folder.path("mnt/a")) }
        for (path, bytes) in whole { try overwrite(path, bytes) }
        #expect(try SystemCall.readAll(path: fixture.folder.path("mnt/a")) == Array("a".utf8))
        #expect(try fixture.run("umount", "mnt").code == 0)
    }

    private func overwrite(_ path: String, _ bytes: [UInt8]) throws {
        try? SystemCall.changeMode(at: AT_FDCWD, path, 0o600)
        let file = try SystemCall.open(path, O_WRONLY)
        try SystemCall.writeFully(file.raw, at: 0, bytes)
    }
}
