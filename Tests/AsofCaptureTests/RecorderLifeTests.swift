@testable import AsofCapture
import AsofCore
import AsofFileSystem
import AsofFormat
import AsofFrame
import AsofRepository
import AsofStore
import AsofSystem
import AsofTestSupport
import AsofView
import Glibc
import Testing

/// From one life of a recorder to the next: what is exact, and what must be declared.
@Suite("Lives of a recorder")
struct RecorderLifeTests {
    let folder: TemporaryDirectory
    let repository: Repository

    init() throws {
        folder = try TemporaryDirectory("life")
        for name in ["backing", "spool"] { try SystemCall.makeDirectory(folder.path(name), mode: 0o755) }
        repository = try Repository.create(in: MemoryStore("memory"), compression: .standard, key: nil, now: SystemClock.now())
        for name in ["a", "b", "c"] { try folder.write("backing/\(name)", Array(name.utf8)) }
    }

    var spool: Spool { Spool(folder: folder.path("spool")) }
    func timeline() throws -> Timeline { try repository.timeline("main") }

    func recorder() throws -> Recorder {
        try Recorder(
            backing: folder.path("backing"), timeline: try timeline(), spool: spool, limits: CaptureLimits(),
            takeOver: false) { _ in }
    }

    /// One life without a mount: the directory is compared with the log.
    @discardableResult
    func live() throws -> Head {
        let recorder = try recorder()
        try recorder.begin()
        _ = try recorder.sealNow(timeout: .seconds(20))
        #expect(recorder.stop())
        return try timeline().head()
    }

    @Test func `a restart without changes declares nothing`() throws {
        let first = try live()
        let second = try live()
        #expect(second.gaps == [] && second.unsettledSince == nil && second.holder == nil)
        #expect(second.last == first.last)
    }

    @Test func `changes while nothing captured are a gap that begins where capture ended`() throws {
        let before = try live()
        try folder.write("backing/a", Array("changed".utf8))
        let after = try live()
        #expect(after.gaps.count == 1)
        #expect(after.gaps.first?.after == CutPoint(lsn: before.last, time: before.capturedUntil))
        #expect(after.gaps.first?.before.lsn == after.last)
    }

    @Test func `after an interrupted comparison the gap begins before the interrupted life`() throws {
        let before = try live()
        // A life that logged a difference and died before its comparison was over.
        let since = CutPoint(lsn: before.last, time: before.capturedUntil)
        let settled = try spool.loadLife()?.settled
        try folder.write("backing/b", Array("more".utf8))
        try live()
        var life = try #require(try spool.loadLife())
        life.settled = settled
        life.unsettled = .init(since: since)
        try spool.save(life)
        _ = try timeline().update { head in head.gaps = [] }
        let after = try live()
        #expect(after.gaps.map(\.after) == [since])
        #expect(after.gaps.first?.before.lsn == after.last)
    }

    @Test func `what the last life found exact is published by the next`() throws {
        let before = try live()
        let settled = try #require(try spool.loadLife()?.settled)
        // As if the head had never heard of it.
        _ = try timeline().update { head in
            head.first = nil
            head.unsettledSince = CutPoint(lsn: .zero, time: .distantPast)
        }
        let after = try live()
        #expect(after.first == settled.point && after.first?.lsn ?? .zero <= before.last)
        #expect(after.gaps == [] && after.unsettledSince == nil)
    }

    @Test func `an epoch that was taken and not written down is still ours`() throws {
        try live()
        var life = try #require(try spool.loadLife())
        life.epoch -= 1
        try spool.save(life)
        #expect(life.owns(try timeline().head()) == false)  // released: nobody holds it
        _ = try timeline().update { head in head.holder = life.holder }
        #expect(life.owns(try timeline().head()))
    }

    @Test func `a spool whose timeline another capture took over is set aside only with something in it`() throws {
        try live()
        _ = try timeline().update { head in head.epoch += 1 }
        let after = try live()
        #expect(after.gaps == [])
        #expect(try folder.names(in: "spool").filter { $0.hasPrefix("abandoned") } == [])
    }

    /// A life with a client of its file system, without a mount. Returns whether everything could be archived at its end.
    func live(with work: (RecordFileSystem) throws -> Void) throws -> Bool {
        let recorder = try recorder()
        try recorder.begin()
        _ = try recorder.sealNow(timeout: .seconds(20))
        try work(recorder.fileSystem)
        let isArchived = recorder.stop()
        // Its process goes on, which would keep the timeline.
        _ = try timeline().update { head in head.holder = nil }
        return isArchived
    }

    func write(_ files: RecordFileSystem, _ name: String, at offset: UInt64 = 0, _ bytes: [UInt8]) throws {
        let name = try #require(Name(name))
        let (node, handle): (Node, FileHandle)
        if let found = try? files.lookup(name, in: 1, .init()) {
            (node, handle) = (found, try files.open(found.id, flags: O_RDWR, .init()))
        } else {
            (node, handle) = try files.create(name, in: 1, mode: 0o644, flags: O_RDWR, .init())
        }
        _ = try bytes.withUnsafeBytes { try files.write(node.id, handle: handle, offset: offset, bytes: $0, .init()) }
        files.close(node.id, handle: handle)
    }

    @Test func `what cannot be sealed at the end stays in the journal, and the next life seals it`() throws {
        let isArchived = try live { files in
            // The sealer cannot write: as on a full disk.
            try SystemCall.rename(at: AT_FDCWD, folder.path("spool/segments"), to: AT_FDCWD, folder.path("spool/away"))
            try write(files, "d", Array("kept".utf8))
        }
        #expect(!isArchived)
        let between = try timeline().head()
        #expect(try folder.names(in: "spool/journal").contains { $0.hasPrefix("journal-") })
        try SystemCall.rename(at: AT_FDCWD, folder.path("spool/away"), to: AT_FDCWD, folder.path("spool/segments"))
        let after = try live()
        #expect(after.last > between.last && after.gaps == [])
    }

    /// Signals are blocked while a capture starts.
    @Test(.enabled(if: Mounted.isPossible))
    func `a start that waits for a full spool ends with a signal, and says what it waited for`() throws {
        let isArchived = try live { files in
            try SystemCall.rename(at: AT_FDCWD, folder.path("spool/segments"), to: AT_FDCWD, folder.path("spool/away"))
            try write(files, "d", Array("kept".utf8))
        }
        #expect(!isArchived)
        let between = try timeline().head()
        try SystemCall.rename(at: AT_FDCWD, folder.path("spool/away"), to: AT_FDCWD, folder.path("spool/segments"))
        // The sealer cannot write: as on a full disk.
        let segments = folder.path("spool/segments")
        try #require(mount(segments, segments, nil, UInt(MS_BIND), nil) == 0 && mount(nil, segments, nil, UInt(MS_BIND | MS_REMOUNT | MS_RDONLY), nil) == 0)
        var failure: AsofError?
        do {
            defer { umount2(segments, Int32(MNT_DETACH)) }
            var mask = sigset_t()
            pthread_sigmask(SIG_SETMASK, nil, &mask)
            defer { pthread_sigmask(SIG_SETMASK, &mask, nil) }
            let signals = try SignalWaiter(blocking: [SIGTERM])
            pthread_kill(pthread_self(), SIGTERM)
            failure = #expect(throws: AsofError.self) { try recorder() }
            #expect(try signals.wait(timeout: .zero) == SIGTERM)
        }
        #expect(failure?.code == .interrupted && failure?.message.contains("Read-only file system") == true, "\(String(describing: failure))")
        let after = try live()
        #expect(after.last > between.last && after.gaps == [])
    }

    @Test func `a log that ends in the middle does not come back to haunt a later life`() throws {
        var random = SplitMix64(seed: 5)
        // A life that could seal nothing of what it logged.
        let isArchived = try live { files in
            try SystemCall.rename(at: AT_FDCWD, folder.path("spool/segments"), to: AT_FDCWD, folder.path("spool/away"))
            for number in 0..<40 { try write(files, "file\(number % 7)", at: UInt64(number * 1000), random.bytes(number % 3 == 0 ? 50_000 : 500)) }
        }
        #expect(!isArchived)
        try SystemCall.rename(at: AT_FDCWD, folder.path("spool/away"), to: AT_FDCWD, folder.path("spool/segments"))
        let before = try timeline().head()
        // A byte that one of its transactions refers to, changed behind the mount.
        let file = try SystemCall.open(folder.path("backing/file6"), O_WRONLY)
        try SystemCall.writeFully(file.raw, at: 28_000, [0xFF, 0xFE])
        let middle = try live()
        #expect(middle.last > before.last && middle.gaps.count == 1)
        let after = try live()
        #expect(after.last == middle.last && after.gaps == middle.gaps && after.unsettledSince == nil)
        #expect(try folder.names(in: "spool/journal") == [])
    }

    @Test func `the comparison keeps what a client wrote before it came by`() throws {
        var random = SplitMix64(seed: 9)
        let large = random.bytes(100_000)
        do {
            let recorder = try recorder()
            // Before the comparison has seen the file: its pieces lie across the client's.
            try write(recorder.fileSystem, "a", at: 10, large)
            try recorder.begin()
            try write(recorder.fileSystem, "a", at: 50_000, [1, 2, 3])
            #expect(recorder.stop())
        }
        #expect(try live().gaps == [])
    }

    /// As if the machine had gone down, and come up again, after the last life.
    func cutPower() throws {
        var life = try #require(try spool.loadLife())
        life.hasEnded = false
        life.holder.boot = "another"
        try spool.save(life)
        _ = try timeline().update { head in head.holder = nil }
    }

    @Test func `after a power cut what clients may have seen and nobody has any more is a gap`() throws {
        let before = try live()
        try cutPower()
        let after = try live()
        #expect(after.gaps.map(\.after.lsn) == [before.last])
    }

    /// What a life found out at its start is not forgotten where it dies before it could say so.
    @Test func `a gap after a power cut is declared by whichever life comes to the end of its comparison`() throws {
        let before = try live()
        try cutPower()
        var life: CaptureLife
        do {
            // Killed within its comparison: it logged nothing.
            let recorder = try recorder()
            life = try #require(try spool.loadLife())
            #expect(recorder.stop())
        }
        life.hasEnded = false
        try spool.save(life)
        _ = try timeline().update { head in head.holder = life.holder }
        let after = try live()
        #expect(after.gaps.map(\.after.lsn) == [before.last])
        #expect(after.gaps.first?.reason.contains("power cut") == true)
    }

    /// A disk that turns a bit in what was durable takes changes from the log that clients saw, even where the directory is the same again.
    @Test func `a journal that lost what was durable is a gap`() throws {
        let isArchived = try live { files in
            try SystemCall.rename(at: AT_FDCWD, folder.path("spool/segments"), to: AT_FDCWD, folder.path("spool/away"))
            for number in 0..<6 {
                try write(files, "d", at: 0, [UInt8](repeating: UInt8(number % 2), count: 100))
                let node = try files.lookup(try #require(Name("d")), in: 1, .init()).id
                let handle = try files.open(node, flags: O_RDWR, .init())
                try files.synchronize(node, handle: handle, dataOnly: false)
                files.close(node, handle: handle)
            }
        }
        #expect(!isArchived)
        try SystemCall.rename(at: AT_FDCWD, folder.path("spool/away"), to: AT_FDCWD, folder.path("spool/segments"))
        let path = try #require(try folder.names(in: "spool/journal").first { $0.hasPrefix("journal-") }.map { "spool/journal/\($0)" })
        var bytes = try folder.read(path)
        // In the fourth write, whose bytes are as those of the last.
        let places = (64..<bytes.count - 100).filter { start in bytes[start..<start + 100].allSatisfy { $0 == 1 } }
        bytes[try #require(places.dropFirst().first) + 50] ^= 4
        try folder.write(path, bytes)
        let after = try live()
        #expect(after.gaps.count == 1)
        #expect(after.gaps.first?.reason.contains("journal was damaged") == true, "\(after.gaps)")
    }

    var headName: String { ObjectName.head("main") }

    @Test func `a directory is captured once at a time, whatever the timelines`() throws {
        let first = try recorder()
        try SystemCall.makeDirectory(folder.path("other"), mode: 0o755)
        func second() throws -> Recorder {
            try Recorder(
                backing: folder.path("backing"), timeline: try repository.timeline("second"), spool: Spool(folder: folder.path("other")),
                limits: CaptureLimits(), takeOver: false) { _ in }
        }
        let refused = #expect(throws: AsofError.self) { _ = try second() }
        #expect(refused?.code == .locked && refused?.message.contains("another asof") == true)
        #expect(first.stop())
    }

    /// What the directory still has is worth more than what the log had.
    @Test func `bytes that are damaged in the repository are logged anew from the directory`() throws {
        var random = SplitMix64(seed: 3)
        let large = random.bytes(300_000)
        try folder.write("backing/large", large)
        let before = try live()
        let segment = try #require(before.segments.first)
        let name = ObjectName.segment("main", first: segment.first, last: segment.last, epoch: segment.epoch)
        var bytes = try #require(try repository.store.get(name)).bytes
        bytes[bytes.count / 2] ^= 1
        try repository.store.put(name, bytes)
        // Whatever has other times than the log says is compared.
        let file = try SystemCall.open(folder.path("backing/large"), O_RDONLY)
        try SystemCall.setTimes(file.raw, accessed: .now, modified: .now)
        let after = try live()
        #expect(after.gaps.map(\.after.lsn) == [before.last])
        let view = try View(Cut(lsn: after.last, time: after.lastTime), of: try timeline(), head: after, reader: ObjectReader(repository: repository))
        let fileName = try #require(Name("large"))
        let number = try #require(try view.entry(fileName, in: .root))
        var seen = [UInt8](repeating: 0, count: large.count)
        _ = try seen.withUnsafeMutableBytes { try view.read(number, size: UInt64(large.count), offset: 0, into: $0) }
        let isSame = seen == large
        #expect(isSame)
    }

    /// Later instants would show the states of that time, or none.
    @Test func `no capture goes on from a time that is not yet`() throws {
        try live()
        for (seconds, isRefused) in [(5, false), (86_400, true)] as [(Int64, Bool)] {
            let ahead = SystemClock.now().advanced(byNanoseconds: seconds * 1_000_000_000)
            _ = try timeline().update { head in head.capturedUntil = ahead }
            let before = try timeline().head()
            let failure = try isRefused ? #expect(throws: AsofError.self) { try live() } : { try live(); return nil }()
            #expect(failure?.message.contains("ahead of this host's clock") ?? false == isRefused)
            if isRefused { #expect(try timeline().head() == before) }
        }
    }
}
