import AsofCapture
import AsofCore
import AsofFileSystem
import AsofSystem
import AsofTestSupport
import Glibc
import Testing
@testable import AsofOverlay

/// What lies in an overlay's folder at any moment is what a start after a crash finds.
@Suite(.serialized)
struct OverlayStoreTests {
    private let request = Request()

    private func write(_ overlay: OverlayFileSystem, _ node: NodeID, at offset: UInt64, _ bytes: [UInt8]) throws {
        _ = try bytes.withUnsafeBytes { try overlay.write(node, handle: 0, offset: offset, bytes: $0, request) }
    }

    /// What a crash would leave now, opened: a copy of the folder, table first, as the journal behind it may have gone on.
    private func afterCrash(_ fixture: OverlayFixture, _ number: Int) throws -> OverlayFileSystem {
        try copy(fixture, "overlay", to: "copy-\(number)")
        return try fixture.overlay("copy-\(number)")
    }

    /// `asof diff` asks for a checkpoint whenever it likes, beside those that the overlay makes by itself: a slow one must not take the place of a
    /// newer one, behind which the journal is gone.
    @Test func `a slow checkpoint and one that comes later lose nothing`() throws {
        let fixture = try OverlayFixture()
        let overlay = try fixture.overlay("overlay")
        for number in 0..<2000 {
            let (node, _) = try overlay.create(try #require(Name("small-\(number)")), in: 1, mode: 0o644, flags: 0, request)
            try write(overlay, node.id, at: 0, [1, 2, 3])
        }
        // It has 2,000 files to make durable.
        let slow = try NamedThread("slow") { do { try overlay.store.checkpoint() } catch { Issue.record("\(error)") } }
        SystemClock.sleep(.milliseconds(100))
        let name = try #require(Name("large"))
        let (node, _) = try overlay.create(name, in: 1, mode: 0o644, flags: 0, request)
        let piece = [UInt8](repeating: 7, count: 1 << 20)
        // Several files of the journal, of which the later checkpoint lets some go.
        for number in 0..<30 { try write(overlay, node.id, at: UInt64(number) << 20, piece) }
        try overlay.store.checkpoint()
        slow.join()
        let after = try afterCrash(fixture, 0)
        let found = try after.lookup(name, in: 1, request)
        #expect(found.attributes.size == 30 << 20)
        var bytes = [UInt8](repeating: 0xEE, count: 30 << 20)
        _ = try bytes.withUnsafeMutableBytes { try after.read(found.id, handle: 0, offset: 0, into: $0) }
        #expect(bytes == [UInt8](repeating: 7, count: 30 << 20))
        try after.stop()
        try overlay.stop()
    }

    /// What a start writes again for a file that has no bytes any more goes, and with it all that is known of where they were.
    @Test func `a file that a crash left empty keeps what is written after it`() throws {
        let fixture = try OverlayFixture()
        let overlay = try fixture.overlay("overlay")
        let name = try #require(Name("file"))
        let (node, _) = try overlay.create(name, in: 1, mode: 0o644, flags: 0, request)
        try write(overlay, node.id, at: 0, [1, 2, 3])
        var emptied = AttributeChanges()
        emptied.size = 0
        _ = try overlay.setAttributes(emptied, of: node.id, handle: nil, request)
        let after = try afterCrash(fixture, 0)
        try write(after, try after.lookup(name, in: 1, request).id, at: 0, [4, 5, 6, 7])
        try after.stop()
        try overlay.stop()
        try copy(fixture, "copy-0", to: "overlay-2")
        let later = try fixture.overlay("overlay-2")
        var bytes = [UInt8](repeating: 0, count: 4)
        let found = try later.lookup(name, in: 1, request)
        _ = try bytes.withUnsafeMutableBytes { try later.read(found.id, handle: 0, offset: 0, into: $0) }
        #expect(bytes == [4, 5, 6, 7])
        try later.stop()
    }

    /// A server that is killed in the middle of a write leaves its bytes in part in the place of older ones.
    @Test func `a write that was begun and never answered is finished, once`() throws {
        let fixture = try OverlayFixture()
        let name = try #require(Name("file"))
        let overlay = try fixture.overlay("overlay")
        let (node, _) = try overlay.create(name, in: 1, mode: 0o644, flags: 0, request)
        try write(overlay, node.id, at: 0, [UInt8](repeating: 1, count: 8))
        try overlay.stop()

        // What such a server leaves: a write and an aborted one are begun, and a part of the first is in the data file.
        try copy(fixture, "overlay", to: "killed")
        let folder = fixture.folder.path("killed")
        do {
            let journal = try ChangeJournal(folder: "\(folder)/journal", checkpoint: try OverlayFolder.table(at: folder).lsn) { _, _ in }
            func begin(at offset: UInt64, _ bytes: [UInt8]) throws -> ChangeJournal.Intent {
                var attributes = node.attributes
                attributes.size = offset + UInt64(bytes.count)
                let inode = InodeNumber(node.id)
                return try bytes.withUnsafeBytes {
                    try journal.begin(inode, .write, [.write(inode, offset: offset, length: bytes.count), .attributes(inode, attributes, isBorn: false)], $0)
                }
            }
            journal.abort(try begin(at: 0, [9, 9, 9]))
            _ = try begin(at: 4, [UInt8](repeating: 2, count: 8))
        }
        let data = try SystemCall.open("\(folder)/data/\(String(node.id, radix: 16))", O_WRONLY)
        try [UInt8](repeating: 2, count: 2).withUnsafeBytes { try SystemCall.writeFully(data.raw, at: 4, $0) }
        try copy(fixture, "killed", to: "next")

        func contents(_ overlay: OverlayFileSystem) throws -> [UInt8] {
            let found = try overlay.lookup(name, in: 1, request)
            var bytes = [UInt8](repeating: 0xEE, count: Int(found.attributes.size))
            _ = try bytes.withUnsafeMutableBytes { try overlay.read(found.id, handle: 0, offset: 0, into: $0) }
            return bytes
        }
        let after = try fixture.overlay("next")
        #expect(try contents(after) == [1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2])
        // It is not done again over what came later: neither in the next life nor where a power cut brings the journal's old file back.
        try write(after, node.id, at: 4, [3, 3])
        let later: [UInt8] = [1, 1, 1, 1, 3, 3, 2, 2, 2, 2, 2, 2]
        try copy(fixture, "next", to: "power-cut")
        try after.stop()
        try copy(fixture, "next", to: "stopped")
        // Behind a checkpoint even the file that says what came of it may have been let go.
        for file in try fixture.folder.names(in: "stopped/journal") { try SystemCall.unlink(fixture.folder.path("stopped/journal/\(file)")) }
        for place in ["power-cut", "stopped"] {
            for file in try fixture.folder.names(in: "killed/journal") where file.hasPrefix("journal-") {
                try fixture.folder.write("\(place)/journal/\(file)", try fixture.folder.read("killed/journal/\(file)"))
            }
            let cut = try fixture.overlay(place)
            #expect(try contents(cut) == later, "\(place)")
            try cut.stop()
        }
    }

    /// Where what is new has no room, what was there stays as it was.
    @Test(.enabled(if: getuid() == 0, "mounting a small tmpfs needs root: a full disk is NOT tested"), arguments: [true, false])
    func `a write that finds the disk full changes nothing`(_ isTemporary: Bool) throws {
        let fixture = try OverlayFixture()
        let place = isTemporary ? "temporary" : "disk"
        try SystemCall.makeDirectory(fixture.folder.path(place), mode: 0o755)
        try #require(mount("tmpfs", fixture.folder.path(place), "tmpfs", 0, "size=48m") == 0)
        defer { umount2(fixture.folder.path(place), Int32(MNT_DETACH)) }
        let overlay = try fixture.overlay(isTemporary ? nil : "disk/overlay", expectingFailures: true)
        let (node, _) = try overlay.create(try #require(Name("file")), in: 1, mode: 0o644, flags: 0, request)
        let old = [UInt8](repeating: 1, count: 8192)
        try write(overlay, node.id, at: 0, old)
        if !isTemporary { try overlay.store.checkpoint() }
        // Room for the journal is kept ready; for more bytes there is none.
        let ballast = try SystemCall.open(fixture.folder.path("\(place)/ballast"), O_WRONLY | O_CREAT, mode: 0o600)
        SystemClock.sleep(.milliseconds(300))
        var end: UInt64 = 0
        while (try? [UInt8](repeating: 0, count: 4096).withUnsafeBytes { try SystemCall.writeFully(ballast.raw, at: end, $0) }) != nil { end += 4096 }
        #expect(throws: Errno(ENOSPC)) { try write(overlay, node.id, at: 4096, [UInt8](repeating: 2, count: 1 << 20)) }
        #expect(try overlay.attributes(of: node.id, handle: nil).attributes.size == 8192)
        var found = [UInt8](repeating: 0, count: 8192)
        _ = try found.withUnsafeMutableBytes { try overlay.read(node.id, handle: 0, offset: 0, into: $0) }
        let isUnchanged = found == old
        #expect(isUnchanged)
        try SystemCall.truncate(ballast.raw, to: 0)
        try overlay.stop()
    }

    /// A disk that turns a bit is no power cut: what was durable behind it is not forgotten.
    @Test(arguments: [0, 100, 4000])
    func `a journal that was damaged is refused, and nothing in it is touched`(_ into: Int) throws {
        let fixture = try OverlayFixture()
        let overlay = try fixture.overlay("overlay")
        for number in 0..<5 {
            let (node, _) = try overlay.create(try #require(Name("q\(number)")), in: 1, mode: 0o644, flags: 0, request)
            try write(overlay, node.id, at: 0, [UInt8](repeating: UInt8(number + 1), count: 10_000))
            try overlay.synchronize(node.id, handle: 0, dataOnly: false)
        }
        try copy(fixture, "overlay", to: "whole")
        try copy(fixture, "overlay", to: "damaged")
        let path = try #require(try fixture.folder.names(in: "damaged/journal").first { $0.hasPrefix("journal-") }.map { "damaged/journal/\($0)" })
        var bytes = try fixture.folder.read(path)
        // In the write of q1: in its header, and in its bytes.
        let start = try #require((64..<bytes.count).first { bytes[$0..<$0 + 100].allSatisfy { $0 == 2 } }) - 24
        bytes[start + into] ^= 4
        try fixture.folder.write(path, bytes)
        do {
            _ = try fixture.overlay("damaged")
            Issue.record("it was opened")
        } catch let error as AsofError {
            #expect(error.code == .damaged && error.message.contains("is damaged at byte"), "\(error)")
        }
        #expect(try fixture.folder.read(path) == bytes)
        let whole = try fixture.overlay("whole")
        #expect(try whole.lookup(try #require(Name("q4")), in: 1, request).attributes.size == 10_000)
        try whole.stop()
        try overlay.stop()
    }

    /// Of names that come and go all day nothing is kept, in this life or after a crash.
    @Test func `names that were made and removed leave nothing`() throws {
        let fixture = try OverlayFixture()
        let overlay = try fixture.overlay("overlay")
        let below = try overlay.lookup(try #require(Name("sub")), in: 1, request)
        let born = try overlay.makeDirectory(try #require(Name("born")), in: 1, mode: 0o755, request)
        for number in 0..<200 {
            let (name, other) = (try #require(Name("t\(number)")), try #require(Name("u\(number)")))
            for folder in [1, below.id, born.id] {
                let (node, _) = try overlay.create(name, in: folder, mode: 0o644, flags: 0, request)
                try overlay.rename(name, in: folder, to: other, in: folder, flags: 0, request)
                try overlay.unlink(other, in: folder, request)
                overlay.forget(node.id, count: 1)
            }
        }
        func known(_ overlay: OverlayFileSystem) -> Int { overlay.tree.state.withLock { $0.entries.values.reduce(0) { $0 + $1.count } } }
        #expect(known(overlay) == 2)
        // What the view has stays known as gone.
        try overlay.removeDirectory(try #require(Name("sub")), in: 1, request)
        #expect(known(overlay) == 2)
        let after = try afterCrash(fixture, 0)
        #expect(throws: Errno(ENOENT)) { _ = try after.lookup(try #require(Name("sub")), in: 1, request) }
        #expect(throws: Errno(ENOENT)) { _ = try after.lookup(try #require(Name("t7")), in: born.id, request) }
        try after.stop()
        try overlay.stop()
    }

    @Test(.enabled(if: Mounted.isPossible, "root alone can make a small disk"))
    func `what had no room to be made is not held`() throws {
        let fixture = try OverlayFixture()
        let disk = fixture.folder.path("disk")
        try SystemCall.makeDirectory(disk, mode: 0o755)
        // What fills it is given back before the end: then a checkpoint of all links has room beside them.
        try #require(Glibc.mount("tmpfs", disk, "tmpfs", 0, "size=160m") == 0)
        defer { umount2(disk, Int32(MNT_DETACH)) }
        let overlay = try fixture.overlay("disk/overlay", expectingFailures: true)
        let filling = try SystemCall.open("\(disk)/filling", O_WRONLY | O_CREAT, mode: 0o600)
        var (filled, made, failed) = (0 as UInt64, 0, 0)
        let piece = [UInt8](repeating: 1, count: 1 << 16)
        while let count = try? piece.withUnsafeBytes({ try SystemCall.writeSome(filling.raw, at: filled, $0) }), count > 0 { filled += UInt64(count) }
        for number in 0..<20_000 where failed < 3 {
            do {
                _ = try overlay.makeSymbolicLink(try #require(Name("link-\(number)")), in: 1, target: [UInt8](repeating: 0x61, count: 4000), request)
                made += 1
            } catch let error as Errno {
                #expect(error == Errno(ENOSPC))
                failed += 1
            }
        }
        #expect(failed == 3 && made > 0)
        #expect(overlay.tree.state.withLock { $0.held.count } == made)
        try SystemCall.truncate(filling.raw, to: 0)
        try overlay.stop()
    }

    /// A database that removes what it has compacted, and writes at once.
    @Test(.enabled(if: Mounted.isPossible, "root alone can make a small disk"), arguments: [true, false])
    func `what was given up on a full disk has room for the next write`(isRemoved: Bool) throws {
        let fixture = try OverlayFixture()
        let disk = fixture.folder.path("disk")
        try SystemCall.makeDirectory(disk, mode: 0o755)
        try #require(Glibc.mount("tmpfs", disk, "tmpfs", 0, "size=64m") == 0)
        defer { umount2(disk, Int32(MNT_DETACH)) }
        let overlay = try fixture.overlay("disk/overlay", expectingFailures: true)
        let (old, new) = (try #require(Name("old")), try #require(Name("new")))
        let given = try overlay.create(old, in: 1, mode: 0o644, flags: 0, request).0
        let taken = try overlay.create(new, in: 1, mode: 0o644, flags: 0, request).0
        for number in 0..<16 { try write(overlay, given.id, at: UInt64(number) << 20, [UInt8](repeating: 1, count: 1 << 20)) }
        try overlay.store.checkpoint()
        SystemClock.sleep(.milliseconds(300))
        let filling = try SystemCall.open("\(disk)/filling", O_WRONLY | O_CREAT, mode: 0o600)
        var filled: UInt64 = 0
        let piece = [UInt8](repeating: 1, count: 1 << 16)
        while let count = try? piece.withUnsafeBytes({ try SystemCall.writeSome(filling.raw, at: filled, $0) }), count > 0 { filled += UInt64(count) }
        #expect(throws: Errno(ENOSPC)) { try write(overlay, taken.id, at: 0, [UInt8](repeating: 2, count: 1 << 20)) }
        if isRemoved {
            try overlay.unlink(old, in: 1, request)
            overlay.forget(given.id, count: 1)
        } else {
            var smaller = AttributeChanges()
            smaller.size = 0
            _ = try overlay.setAttributes(smaller, of: given.id, handle: nil, request)
        }
        try write(overlay, taken.id, at: 0, [UInt8](repeating: 2, count: 1 << 20))
        try overlay.stop()
    }

    @Test(arguments: [true, false])
    func `what was cut off takes no space any more`(_ isTemporary: Bool) throws {
        let fixture = try OverlayFixture()
        let overlay = try fixture.overlay(isTemporary ? nil : "overlay")
        let (node, _) = try overlay.create(try #require(Name("file")), in: 1, mode: 0o644, flags: 0, request)
        try write(overlay, node.id, at: 0, [UInt8](repeating: 7, count: 4 << 20))
        let folder = isTemporary ? "temporary/\(try #require(try fixture.folder.names(in: "temporary").first))" : "overlay"
        let path = fixture.folder.path("\(folder)/data/\(String(node.id, radix: 16))")
        #expect(try SystemCall.status(path).blocks >= 4 << 11)
        var smaller = AttributeChanges()
        smaller.size = 4096
        _ = try overlay.setAttributes(smaller, of: node.id, handle: nil, request)
        if !isTemporary { try overlay.store.checkpoint() }
        #expect(try SystemCall.status(path).blocks <= 16)
        try overlay.stop()
    }

    /// Somebody may keep his own among those that go with their mounts.
    @Test func `only what a mount that was killed left is removed`() throws {
        let fixture = try OverlayFixture()
        try SystemCall.makeDirectory(fixture.folder.path("temporary"), mode: 0o755)
        for name in ["temporary/mine", "temporary/2026-11", "temporary/temporary-7-8"] {
            try SystemCall.makeDirectory(fixture.folder.path(name), mode: 0o755)
            try fixture.folder.write("\(name)/lock", [])
        }
        let overlay = try fixture.overlay(nil)
        let left = try fixture.folder.names(in: "temporary").filter { !$0.hasPrefix("temporary-\(getpid())-") }
        #expect(left == ["2026-11", "mine"])
        try overlay.stop()
    }

    private func copy(_ fixture: OverlayFixture, _ from: String, to: String) throws {
        let copy = try ChildProcess.spawn("/bin/cp", arguments: ["cp", "-a", fixture.folder.path(from), fixture.folder.path(to)], output: .null)
        #expect(try copy.wait() == .exited(0))
    }

    /// The kernel says once that bytes were lost, and shows old ones as if nothing were from then on.
    @Test func `bytes that were lost on the way to the disk are an error for good, and come back from the journal`() throws {
        let fixture = try OverlayFixture()
        let overlay = try fixture.overlay("overlay", expectingFailures: true)
        let (node, _) = try overlay.create(try #require(Name("file")), in: 1, mode: 0o644, flags: 0, request)
        let (bad, _) = try overlay.create(try #require(Name("bad")), in: 1, mode: 0o644, flags: 0, request)
        try write(overlay, node.id, at: 0, [1, 2, 3])
        // What stands in the place of a data file takes no fdatasync.
        let place = fixture.folder.path("overlay/data/\(String(bad.id, radix: 16))")
        try #require(mkfifo(place, 0o600) == 0)
        #expect(throws: Errno.self) { try write(overlay, bad.id, at: 0, [4]) }
        #expect(throws: AsofError.self) { try overlay.store.checkpoint() }
        try SystemCall.unlink(place)
        #expect(throws: AsofError.self) { try overlay.store.checkpoint() }
        var bytes = [UInt8](repeating: 0, count: 3)
        #expect(throws: Errno(EIO)) { try bytes.withUnsafeMutableBytes { try overlay.read(node.id, handle: 0, offset: 0, into: $0) } }
        #expect(throws: Errno(EIO)) { try write(overlay, node.id, at: 3, [4]) }
        #expect(throws: AsofError.self) { try overlay.stop() }
        let after = try afterCrash(fixture, 0)
        let found = try after.lookup(try #require(Name("file")), in: 1, request)
        _ = try bytes.withUnsafeMutableBytes { try after.read(found.id, handle: 0, offset: 0, into: $0) }
        #expect(bytes == [1, 2, 3])
        try after.stop()
    }
}
