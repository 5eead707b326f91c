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

    private var spool: Spool { Spool(folder: folder.path("spool")) }
    private func timeline() throws -> Timeline { try repository.timeline("main") }

    private func recorder() throws -> Recorder {
        try Recorder(
            backing: folder.path("backing"), timeline: try timeline(), spool: spool, limits: CaptureLimits(),
            takeOver: false) { _ in }
    }

    /// One life without a mount: the directory is compared with the log.
    @discardableResult
    private func live() throws -> Head {
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
    private func live(with work: (RecordFileSystem) throws -> Void) throws -> Bool {
        let recorder = try recorder()
        try recorder.begin()
        _ = try recorder.sealNow(timeout: .seconds(20))
        try work(recorder.fileSystem)
        let isArchived = recorder.stop()
        // Its process goes on, which would keep the timeline.
        _ = try timeline().update { head in head.holder = nil }
        return isArchived
    }

    private func write(_ files: RecordFileSystem, _ name: String, at offset: UInt64 = 0, _ bytes: [UInt8]) throws {
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
    private func cutPower() throws {
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

    @Test func `gaps that the head has are not kept beside it for ever`() throws {
        let before = try live()
        var life = try #require(try spool.loadLife())
        let point = CutPoint(lsn: before.last, time: before.capturedUntil)
        // Years of them.
        let many = (0..<2000).map { Gap(after: point, before: point, reason: "number \($0): a file changed while it was read") }
        life.gaps = many
        try spool.save(life)
        #expect(try live().gaps == many)
        #expect(try live().gaps == many)
        // Of what is published the newest stay: an older copy of the head may be put back.
        #expect(try spool.loadLife()?.gaps == many.suffix(256))
    }

    private var headName: String { ObjectName.head("main") }

    /// What a damaged head's message advises: an older copy is put back. What is archived behind it is neither forgotten nor written over.
    @Test(arguments: [false, true])
    func `an older copy of the head is brought up to date by the next capture`(_ isSpoolLost: Bool) throws {
        try live()
        try folder.write("backing/a", Array("two".utf8))
        try live()
        let copy = try #require(try repository.store.get(headName)).bytes
        let old = try timeline().head()
        for text in ["three", "four"] {
            try folder.write("backing/a", Array(text.utf8))
            try live()
        }
        let newest = try timeline().head()
        var archived: [String: [UInt8]] = [:]
        for object in try repository.store.list(prefix: "timelines/main/segments/") { archived[object.name] = try repository.store.get(object.name)?.bytes }
        try repository.store.put(headName, copy)
        if isSpoolLost {
            try SystemCall.rename(at: AT_FDCWD, folder.path("spool"), to: AT_FDCWD, folder.path("lost"))
            try SystemCall.makeDirectory(folder.path("spool"), mode: 0o755)
        }
        try folder.write("backing/a", Array("five".utf8))
        do {
            // What stands at the archive's end may be half of a comparison: nothing behind the old head is shown before this life has compared.
            let begun = try recorder()
            let head = try timeline().head()
            #expect(head.last == newest.last && head.unsettledSince != nil)
            // The spool of who captured then knows how far that was compared.
            if isSpoolLost { #expect(head.unsettledSince?.lsn == old.last) }
            #expect(begun.stop())
        }
        let after = try live()
        #expect(Array(after.segments.prefix(newest.segments.count)) == newest.segments)
        #expect(after.segments.count > newest.segments.count && after.epoch > newest.epoch)
        for (name, bytes) in archived { #expect(try repository.store.get(name)?.bytes == bytes, "\(name)") }
        let gap = try #require(after.gaps.first { $0.reason == ArchivedBehind.reason })
        #expect(gap.after.lsn == old.last && gap.before.lsn == newest.last)
        #expect(after.unsettledSince == nil && after.last > newest.last)
        #expect(try folder.names(in: "spool").filter { $0.hasPrefix("abandoned") } == [])
        let again = try live()
        #expect(again.gaps == after.gaps && again.last == after.last)
    }

    @Test(arguments: [false, true])
    func `an older copy of the head under a running capture is brought up to date by it`(_ isFromBefore: Bool) throws {
        try live()
        var copy = try #require(try repository.store.get(headName)).bytes
        let recorder = try recorder()
        try recorder.begin()
        _ = try recorder.sealNow(timeout: .seconds(20))
        if !isFromBefore { copy = try #require(try repository.store.get(headName)).bytes }
        try write(recorder.fileSystem, "d", Array("one".utf8))
        let newest = try recorder.sealNow(timeout: .seconds(20))
        try repository.store.put(headName, Array("damaged".utf8))
        try write(recorder.fileSystem, "d", Array("two".utf8))
        let failure = #expect(throws: AsofError.self) { _ = try recorder.sealNow(timeout: .seconds(3)) }
        #expect(failure?.hint?.contains("however old") == true, "\(String(describing: failure))")
        try repository.store.put(headName, copy)
        try write(recorder.fileSystem, "d", Array("three".utf8))
        // What failed is tried again by itself.
        #expect(eventually { (try? recorder.sealNow(timeout: .seconds(5))) != nil })
        #expect(recorder.stop())
        let after = try timeline().head()
        #expect(Array(after.segments.prefix(newest.segments.count)) == newest.segments && after.gaps == [] && after.last > newest.last)
    }

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

    /// A capture that was fenced may upload once more before it hears of it: that is no part of the history of who took the timeline.
    @Test func `what a fenced capture archived last is not taken up`() throws {
        try live()
        let copy = try timeline().head()
        try folder.write("backing/a", Array("fenced".utf8))
        let fenced = try live()
        _ = try timeline().update { head in
            head = copy
            head.epoch = fenced.epoch + 5
        }
        try folder.write("backing/a", Array("mine".utf8))
        let after = try live()
        #expect(!after.segments.contains { $0.id == fenced.segments.last?.id } && after.epoch > fenced.epoch + 5)
        #expect(!after.gaps.contains { $0.reason == ArchivedBehind.reason })
        #expect(try live().last == after.last)
    }

    /// The copy names the fenced capture as its holder, but the archive knows better.
    @Test func `a fenced capture does not own the timeline because an older head says so`() throws {
        let isArchived = try live { files in
            try SystemCall.rename(at: AT_FDCWD, folder.path("spool/segments"), to: AT_FDCWD, folder.path("spool/away"))
            try write(files, "d", Array("acknowledged".utf8))
        }
        #expect(!isArchived)
        try SystemCall.rename(at: AT_FDCWD, folder.path("spool/away"), to: AT_FDCWD, folder.path("spool/segments"))
        let life = try #require(try spool.loadLife())
        _ = try timeline().update { head in head.holder = life.holder }
        let copy = try #require(try repository.store.get(headName)).bytes
        // Another host takes over and archives.
        try SystemCall.makeDirectory(folder.path("other"), mode: 0o755)
        try folder.write("backing/a", Array("of the other".utf8))
        do {
            let other = try Recorder(
                backing: folder.path("backing"), timeline: try timeline(), spool: Spool(folder: folder.path("other")), limits: CaptureLimits(),
                takeOver: true) { _ in }
            try other.begin()
            _ = try other.sealNow(timeout: .seconds(20))
            #expect(other.stop())
        }
        let newest = try timeline().head()
        try repository.store.put(headName, copy)
        // Its process, which is this one, goes on.
        _ = try timeline().update { head in head.holder?.started += 1 }
        let after = try live()
        #expect(Array(after.segments.prefix(newest.segments.count)) == newest.segments)
        #expect(try folder.names(in: "spool").contains { $0.hasPrefix("abandoned") })
    }

    @Test func `a segment is never written over by another one of its name`() throws {
        let head = try live()
        let segment = try #require(head.segments.first)
        let name = ObjectName.segment("main", first: segment.first, last: segment.last, epoch: segment.epoch)
        let bytes = try #require(try repository.store.get(name)).bytes
        let appender = try Appender.take(try timeline(), as: try .current(), unsettledSince: CutPoint(lsn: head.last, time: head.lastTime)) { _, _ in true }
        for isOther in [false, true] {
            var object = segment
            if isOther { object.id = .random() }
            try folder.write("segment", bytes)
            let archiver = Archiver(appender: appender, spool: spool, keepsLocal: false, waiting: [SpooledSegment(object: object, path: folder.path("segment"))])
            let thread = try NamedThread("archiver") { archiver.run() }
            #expect(archiver.stop(patience: .seconds(20)) != isOther)
            thread.join()
            #expect(archiver.trouble?.message.contains("is archived already") ?? false == isOther)
        }
        #expect(try repository.store.get(name)?.bytes == bytes)
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

    @Test func `a head that is lost is damage, not a new beginning`() throws {
        try live()
        try repository.store.delete("timelines/main/head.json")
        #expect { try timeline().loadHead() } throws: { ($0 as? AsofError)?.code == .damaged }
        #expect { try live() } throws: { ($0 as? AsofError)?.code == .damaged }
    }

    @Test func `while a comparison runs, nothing behind its start is shown as exact`() throws {
        let before = try live()
        _ = try timeline().update { head in
            // As a restart leaves it while it appends segments.
            head.unsettledSince = CutPoint(lsn: LSN(before.last.rawValue - 1), time: before.first?.time ?? before.lastTime)
        }
        let head = try timeline().head()
        let reader = ObjectReader(repository: repository)
        #expect(throws: AsofError.self) { try timeline().resolve(.instant(before.capturedUntil), head: head, reader: reader) }
        #expect(try timeline().resolve(.latest, head: head, reader: reader).lsn == LSN(before.last.rawValue - 1))
        // What is said to be the end of the window can be had.
        #expect(head.exactUntil < head.capturedUntil)
        #expect(throws: Never.self) { try timeline().resolve(.instant(head.exactUntil), head: head, reader: reader) }
    }

    @Test func `referenced bytes that were changed behind the mount are logged as they stand, in a gap`() throws {
        try spool.prepare()
        let large = [UInt8](repeating: 0x41, count: 100_000)
        try folder.write("backing/large", large)
        let root = SharedDescriptor(try SystemCall.open(folder.path("backing"), O_RDONLY | O_DIRECTORY))
        let recovered = try RecoveredJournal(folder: folder.path("spool/journal"), sealed: .zero, anchor: root.unmanaged)
        let references = PayloadReferences(anchor: root.unmanaged, recovered: [:])
        let journal = try Journal(
            folder: folder.path("spool/journal"), recovered: recovered, references: references, lastLSN: .zero, lastTime: .distantPast)
        let table = try NodeTable(root: root, known: nil, highestInode: .root)
        let node = try table.resolve(try #require(Name("large")), in: table.root).node
        let file = try #require(references.file(of: node, in: table, length: large.count))
        let intent = try journal.begin([node.inode])
        let reference = large.withUnsafeBytes { references.add(intent.position, file, offset: 0, $0) }
        try journal.commit(
            intent, .reconcile, reference: reference,
            [
                .attributes(node.inode, try node.status().attributes, isBorn: true), .entry(parent: .root, name: try #require(Name("large")), target: node.inode),
                .write(node.inode, offset: 0, length: large.count),
            ])
        // Before it is sealed somebody writes into the backing directory itself.
        let behind = try SystemCall.open(folder.path("backing/large"), O_WRONLY)
        try SystemCall.writeFully(behind.raw, at: 10, Array("foreign".utf8))

        let appender = try Appender.take(try timeline(), as: try .current(), unsettledSince: CutPoint(lsn: .zero, time: .distantPast)) { _, _ in true }
        let archiver = Archiver(appender: appender, spool: spool, keepsLocal: false, waiting: [])
        let sealer = Sealer(
            journal: journal, spool: spool, repository: repository, timeline: "main", epoch: appender.epoch, limits: CaptureLimits(),
            archiver: archiver, after: (.zero, [], .root), firstPosition: UInt64(JournalFile.length), voided: 0..<0
        ) { archiver.add(.gap($0)) }
        let threads = [try NamedThread("archiver") { archiver.run() }, try NamedThread("sealer") { sealer.run() }]
        #expect(sealer.stop())
        #expect(archiver.stop(patience: .seconds(20)))
        for thread in threads { thread.join() }

        let head = try timeline().head()
        #expect(head.gaps.count == 1 && head.gaps.first?.after.lsn == .zero && head.gaps.first?.before.lsn == LSN(1))
        #expect(head.gaps.first?.reason.contains("behind the mount") == true)
        let view = try View(
            Cut(lsn: head.last, time: head.lastTime), of: try timeline(), head: head, reader: ObjectReader(repository: repository))
        var seen = [UInt8](repeating: 0, count: large.count)
        _ = try seen.withUnsafeMutableBytes { try view.read(node.inode, size: UInt64(large.count), offset: 0, into: $0) }
        #expect(seen == (try folder.read("backing/large")))
    }

    @Test func `fuzzy ticks are counted while they are sealed, and again when a spooled segment is read back`() throws {
        try spool.prepare()
        let root = SharedDescriptor(try SystemCall.open(folder.path("backing"), O_RDONLY | O_DIRECTORY))
        let recovered = try RecoveredJournal(folder: folder.path("spool/journal"), sealed: .zero, anchor: root.unmanaged)
        let references = PayloadReferences(anchor: root.unmanaged, recovered: [:])
        let journal = try Journal(
            folder: folder.path("spool/journal"), recovered: recovered, references: references, lastLSN: .zero, lastTime: .distantPast)
        let status = try SystemCall.status(root.unmanaged)
        for number in 1...9 {
            let verb: Verb = [2, 3, 7].contains(number) ? .fuzzyTick : .tick
            try journal.commit(try journal.begin([.root]), verb, [.attributes(.root, status.attributes, isBorn: number == 1)])
        }
        let appender = try Appender.take(try timeline(), as: try .current(), unsettledSince: CutPoint(lsn: .zero, time: .distantPast)) { _, _ in true }
        let archiver = Archiver(appender: appender, spool: spool, keepsLocal: true, waiting: [])
        let sealer = Sealer(
            journal: journal, spool: spool, repository: repository, timeline: "main", epoch: appender.epoch, limits: CaptureLimits(),
            archiver: archiver, after: (.zero, [], .root), firstPosition: UInt64(JournalFile.length), voided: 0..<0
        ) { archiver.add(.gap($0)) }
        let threads = [try NamedThread("archiver") { archiver.run() }, try NamedThread("sealer") { sealer.run() }]
        #expect(sealer.stop())
        #expect(archiver.stop(patience: .seconds(20)))
        for thread in threads { thread.join() }

        let head = try timeline().head()
        #expect(head.fuzzyCuts.ranges.map { [$0.first.rawValue, $0.last.rawValue, $0.count] } == [[2, 3, 2], [7, 7, 1]])
        let name = try #require(try folder.names(in: "spool/archived").first)
        #expect(try SpooledSegment(reading: folder.path("spool/archived/\(name)"), repository: repository).object == head.segments.first)
    }
}
