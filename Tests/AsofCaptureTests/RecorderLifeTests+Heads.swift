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

/// What a life makes of the head that it finds, and leaves of it.
extension RecorderLifeTests {
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
}
