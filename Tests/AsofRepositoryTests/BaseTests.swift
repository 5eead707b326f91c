import AsofCore
import AsofFormat
import AsofFrame
import AsofRepository
import AsofStore
import AsofTestSupport
import AsofView
import Testing

@Suite("Bases")
struct BaseTests {
    private let time = Instant(nanoseconds: 1_700_000_000_000_000_000)
    private let file = InodeNumber(2)

    private func attributes(_ mode: UInt32, size: UInt64 = 0, links: UInt32 = 1) -> Attributes {
        Attributes(mode: mode, links: links, size: size, modified: time, changed: time)
    }

    private func fileAttributes(_ size: UInt64, links: UInt32 = 1) -> Operation {
        .attributes(file, attributes(0o100644, size: size, links: links), isBorn: false)
    }

    /// A repository with one transaction a segment and, where it says so, a base behind it.
    private final class Log {
        let timeline: Timeline
        let store = MemoryStore()
        private let scratch: TemporaryDirectory
        private var next = LSN(1)

        init() throws {
            scratch = try TemporaryDirectory("bases")
            timeline = try Repository.create(in: store, compression: .none, key: nil, now: Instant(nanoseconds: 0)).timeline("main")
        }

        func add(_ operations: [Operation], _ payload: [UInt8] = [], base: Bool = false) throws {
            let header = ObjectHeader(kind: .segment, id: .random(), first: next, epoch: 1)
            let builder = SegmentBuilder(
                header: header, timeline: "main", previousHash: [], highestInode: .root, sealer: timeline.repository.sealer(for: header.id),
                compression: .none)
            var bytes = builder.begin()
            let transaction = Transaction(lsn: next, time: Instant(nanoseconds: 1_700_000_000_000_000_000), verb: .reconcile, operations: operations)
            payload.withUnsafeBytes { builder.append(transaction, payload: $0) }
            bytes += try builder.closeGroup()
            bytes += try builder.seal()
            let summary = builder.summary()
            try store.put(ObjectName.segment("main", first: next, last: next, epoch: 1), bytes)
            _ = try timeline.update { head throws(AsofError) in
                try head.append(summary)
                head.first = CutPoint(lsn: LSN(1), time: summary.lastTime)
            }
            next = next.next
            if base { _ = try timeline.createBase(reader: ObjectReader(repository: timeline.repository), scratch: scratch.path) }
        }

        func tail() throws -> ObjectTail {
            let head = try timeline.head()
            let base = try #require(head.bases.last)
            return try ObjectReader(repository: timeline.repository).tail(of: base, name: ObjectName.base("main", last: base.last, id: base.id))
        }

        func read(_ inode: InodeNumber) throws -> [UInt8]? {
            let head = try timeline.head()
            let reader = ObjectReader(repository: timeline.repository)
            let view = try View(try timeline.resolve(.latest, head: head, reader: reader), of: timeline, head: head, reader: reader)
            guard let size = try view.attributes(of: inode)?.size else { return nil }
            var bytes = [UInt8](repeating: 0xEE, count: Int(size))
            let count = try bytes.withUnsafeMutableBytes { try view.read(inode, size: size, offset: 0, into: $0) }
            return Array(bytes[..<count])
        }
    }

    private func begun() throws -> Log {
        let log = try Log()
        try log.add([.attributes(.root, attributes(0o040755, links: 2), isBorn: true)])
        try log.add([
            .attributes(file, attributes(0o100644), isBorn: true), .entry(parent: .root, name: try #require(Name("f")), target: file),
        ])
        return log
    }

    @Test func `bytes that were logged before the size that shows them survive a base`() throws {
        let log = try begun()
        try log.add([.write(file, offset: 0, length: 5)], [1, 2, 3, 4, 5], base: true)
        try log.add([fileAttributes(5)])
        #expect(try log.read(file) == [1, 2, 3, 4, 5])
        try log.add([fileAttributes(5)], base: true)
        #expect(try log.read(file) == [1, 2, 3, 4, 5])
    }

    @Test func `no base is made of a comparison that is not finished`() throws {
        let log = try begun()
        let point = CutPoint(lsn: LSN(1), time: time)
        _ = try log.timeline.update { head throws(AsofError) in head.unsettledSince = point }
        let refused = #expect(throws: AsofError.self) { try log.add([fileAttributes(0)], base: true) }
        #expect(refused?.code == .inGap)
        #expect(try log.timeline.head().bases == [])
        _ = try log.timeline.update { head throws(AsofError) in head.unsettledSince = nil }
        try log.add([fileAttributes(0)], base: true)
        #expect(try log.timeline.head().bases.count == 1)
    }

    /// A base only repeats what the log says: one that is damaged costs time, and the next one takes its place.
    @Test(arguments: ["missing", "changed", "cut"])
    func `a damaged base is left out, and replaced by the next`(_ damage: String) throws {
        let log = try begun()
        try log.add([.write(file, offset: 0, length: 5), fileAttributes(5)], [1, 2, 3, 4, 5], base: true)
        let base = try #require(try log.timeline.head().bases.last)
        let name = ObjectName.base("main", last: base.last, id: base.id)
        switch damage {
        case "missing": try log.store.delete(name)
        // All that is read of it is there.
        case "cut": try log.store.put(name, Array(try #require(try log.store.get(name)).bytes.dropLast(10)))
        default:
            var bytes = try #require(try log.store.get(name)).bytes
            // In the first page of its index.
            bytes[ObjectHeader.length + 20] ^= 1
            try log.store.put(name, bytes)
        }
        #expect(try log.read(file) == [1, 2, 3, 4, 5])
        // Nothing is newer, but it is not whole.
        let scratch = try TemporaryDirectory("bases")
        let made = try log.timeline.createBase(reader: ObjectReader(repository: log.timeline.repository), scratch: scratch.path)
        #expect(made?.base.last == base.last)
        #expect(try log.timeline.head().bases.map(\.id) == [made?.base.id])
        let again = try log.timeline.createBase(reader: ObjectReader(repository: log.timeline.repository), scratch: scratch.path)
        #expect(again?.base == nil)
        try log.add([fileAttributes(3)])
        #expect(try log.read(file) == [1, 2, 3])
    }

    @Test func `what was cut off before a base does not come back behind it`() throws {
        let log = try begun()
        try log.add([.write(file, offset: 0, length: 5), fileAttributes(5)], [1, 2, 3, 4, 5], base: true)
        try log.add([.truncate(file, size: 2), fileAttributes(2)], base: true)
        try log.add([fileAttributes(6)], base: true)
        #expect(try log.read(file) == [1, 2, 0, 0, 0, 0])
    }

    @Test func `only objects that a base points into are in its table`() throws {
        let log = try begun()
        try log.add([.write(file, offset: 0, length: 2), fileAttributes(2)], [1, 2], base: true)
        #expect(try log.tail().objects.map(\.first) == [LSN(3)])
        try log.add([.write(file, offset: 0, length: 3), fileAttributes(3)], [7, 8, 9], base: true)
        #expect(try log.tail().objects.map(\.first) == [LSN(4)])
        try log.add([.zero(file, offset: 0, length: 3), fileAttributes(3)], base: true)
        #expect(try log.tail().objects == [])
        #expect(try log.read(file) == [0, 0, 0])
    }

    @Test func `the dead are not in a base`() throws {
        let log = try begun()
        try log.add([.write(file, offset: 0, length: 2), fileAttributes(2)], [1, 2], base: true)
        #expect(try log.tail().inodes.contains(file))
        try log.add([.entry(parent: .root, name: try #require(Name("f")), target: nil), fileAttributes(2, links: 0)], base: true)
        let tail = try log.tail()
        #expect(!tail.inodes.contains(file))
        #expect(tail.objects == [])
        #expect(try log.read(file) == nil)
    }

    /// Two pages whose keys are not in order, as only somebody who can compute checksums could write them.
    @Test func `an index with its pages in the wrong order is refused`() throws {
        final class Source: IndexSource {
            let objects: [ObjectReference] = []
            var pages: [IndexPage]
            init(_ pages: [IndexPage]) { self.pages = pages }
            func nextPage() -> IndexPage? { pages.isEmpty ? nil : pages.removeFirst() }
        }
        func page(_ inode: UInt64) throws -> IndexPage {
            var builder = IndexPageBuilder()
            builder.append(.inode(InodeNumber(inode)), .inode(attributes(0o100644), erased: ErasedRanges()))
            let made = builder.take()
            return try IndexPage(decoding: try #require(made).bytes)
        }
        let header = ObjectHeader(kind: .run, id: .random(), first: LSN(1), epoch: 1)
        let builder = try BaseBuilder(
            header: header, sources: [Source([try page(10), try page(5)])],
            sealer: FrameSealer(object: header.id, repository: .random(), dataKey: nil), compression: .none)
        #expect(throws: AsofError.self) {
            try builder.build(last: LSN(1), lastTime: time, highestInode: InodeNumber(10)) { _ in }
        }
    }
}
