import AsofCommands
import AsofCore
import AsofFormat
import AsofFrame
import AsofRepository
import AsofStore
import AsofTestSupport
import AsofView
import Testing

@Suite("Names of the log")
struct LogNamesTests {
    /// A view of a segment whose checksums are right, and whose folder `a` holds `x`, which is `target`.
    private func view(_ target: UInt64) throws -> View {
        let repository = try Repository.create(in: MemoryStore(), compression: .none, key: nil, now: Instant(seconds: 0))
        let timeline = try repository.timeline("main")
        let header = ObjectHeader(kind: .segment, id: .random(), first: LSN(1), epoch: 1)
        let builder = SegmentBuilder(
            header: header, timeline: "main", previousHash: [], highestInode: .root, sealer: repository.sealer(for: header.id), compression: .none)
        var bytes = builder.begin()
        let time = Instant(seconds: 1)
        func directory(_ inode: UInt64) -> AsofCore.Operation {
            .attributes(InodeNumber(inode), Attributes(mode: 0o040755, links: 2, size: 0, modified: time, changed: time), isBorn: true)
        }
        let operations: [AsofCore.Operation] = try [
            directory(1), directory(2), directory(3), .entry(parent: .root, name: #require(Name("a")), target: InodeNumber(2)),
            .entry(parent: InodeNumber(2), name: #require(Name("x")), target: InodeNumber(target)),
        ]
        builder.append(Transaction(lsn: LSN(1), time: time, verb: .reconcile, operations: operations), payload: UnsafeRawBufferPointer(start: nil, count: 0))
        bytes += try builder.closeGroup()
        bytes += try builder.seal()
        try repository.store.put(ObjectName.segment("main", first: LSN(1), last: LSN(1), epoch: 1), bytes)
        let head = try timeline.update { head throws(AsofError) in
            try head.append(builder.summary())
            head.first = CutPoint(lsn: LSN(1), time: time)
        }
        let reader = ObjectReader(repository: repository)
        return try View(try timeline.resolve(.latest, head: head, reader: reader), of: timeline, head: head, reader: reader)
    }

    @Test(.timeLimit(.minutes(1)), arguments: [1, 2] as [UInt64])
    func `a folder within itself is damage`(target: UInt64) throws {
        let view = try view(target)
        do throws(AsofError) {
            _ = try LogNames(view)
            Issue.record("it was taken for a tree")
        } catch { #expect(error.code == .damaged && error.message.contains("a/x"), "\(error)") }
    }

    @Test func `one within another is none`() throws { _ = try LogNames(try view(3)) }
}
