@testable import AsofCapture
import AsofCore
import AsofFormat
import AsofRepository
import AsofSystem
import AsofTestSupport
import AsofView
import Glibc
import Testing

/// What the sealer makes of the journal.
extension RecorderLifeTests {
    /// Seals and archives all that the journal has.
    private func seal(_ journal: Journal, keepsLocal: Bool = false) throws -> Head {
        let appender = try Appender.take(try timeline(), as: try .current(), unsettledSince: CutPoint(lsn: .zero, time: .distantPast)) { _, _ in true }
        let archiver = Archiver(appender: appender, spool: spool, keepsLocal: keepsLocal, waiting: [])
        let sealer = Sealer(
            journal: journal, spool: spool, repository: repository, timeline: "main", epoch: appender.epoch, limits: CaptureLimits(),
            archiver: archiver, after: (.zero, [], .root), firstPosition: UInt64(JournalFile.length), voided: 0..<0
        ) { archiver.add(.gap($0)) }
        let threads = [try NamedThread("archiver") { archiver.run() }, try NamedThread("sealer") { sealer.run() }]
        #expect(sealer.stop())
        #expect(archiver.stop(patience: .seconds(20)))
        for thread in threads { thread.join() }
        return try timeline().head()
    }

    @Test func `referenced bytes that were changed behind the mount are logged as they stand, in one gap`() throws {
        try spool.prepare()
        let (piece, count) = ([UInt8](repeating: 0x41, count: 100_000), 3)
        let large = [UInt8](repeating: 0x41, count: piece.count * count)
        try folder.write("backing/large", large)
        let root = SharedDescriptor(try SystemCall.open(folder.path("backing"), O_RDONLY | O_DIRECTORY))
        let recovered = try RecoveredJournal(folder: folder.path("spool/journal"), sealed: .zero, anchor: root.unmanaged)
        let references = PayloadReferences(anchor: root.unmanaged, recovered: [:])
        let journal = try Journal(
            folder: folder.path("spool/journal"), recovered: recovered, references: references, lastLSN: .zero, lastTime: .distantPast)
        let table = try NodeTable(root: root, known: nil, highestInode: .root)
        let node = try table.resolve(try #require(Name("large")), in: table.root).node
        let file = try #require(references.file(of: node, in: table, length: large.count))
        try journal.commit(
            try journal.begin([node.inode]), .reconcile,
            [.attributes(node.inode, try node.status().attributes, isBorn: true), .entry(parent: .root, name: try #require(Name("large")), target: node.inode)])
        for number in 0..<count {
            let intent = try journal.begin([node.inode])
            let offset = UInt64(number * piece.count)
            let reference = piece.withUnsafeBytes { references.add(intent.position, file, offset: offset, $0) }
            try journal.commit(intent, .write, reference: reference, [.write(node.inode, offset: offset, length: piece.count)])
        }
        // Before they are sealed somebody writes into the backing directory itself.
        let behind = try SystemCall.open(folder.path("backing/large"), O_WRONLY)
        for offset in [10, piece.count * 2 + 10] { try SystemCall.writeFully(behind.raw, at: UInt64(offset), Array("foreign".utf8)) }

        let head = try seal(journal)
        #expect(head.gaps.count == 1 && head.gaps.first?.after.lsn == LSN(1) && head.gaps.first?.before.lsn == LSN(4))
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
        let head = try seal(journal, keepsLocal: true)
        #expect(head.fuzzyCuts.ranges.map { [$0.first.rawValue, $0.last.rawValue, $0.count] } == [[2, 3, 2], [7, 7, 1]])
        let name = try #require(try folder.names(in: "spool/archived").first)
        #expect(try SpooledSegment(reading: folder.path("spool/archived/\(name)"), repository: repository).object == head.segments.first)
    }
}
