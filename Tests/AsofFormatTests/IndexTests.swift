import AsofCore
import AsofFormat
import AsofFrame
import AsofTestSupport
import Testing

@Suite("Index: keys, values, pages, inodes")
struct IndexTests {
    @Test func `keys sort by inode, kind and rest, and come back`() throws {
        let name = try #require(Name("b"))
        let other = try #require(Name("ba"))
        let sorted: [IndexKey] = [
            .inode(InodeNumber(1)), .entry(InodeNumber(1), name), .entry(InodeNumber(1), other), .chunk(InodeNumber(1), 0),
            .chunk(InodeNumber(1), 255), .chunk(InodeNumber(1), 256), .inode(InodeNumber(255)), .symbolicLink(InodeNumber(255)),
            .inode(InodeNumber(256)), .extendedAttribute(InodeNumber(256), name), .chunk(InodeNumber(.max), .max),
        ]
        for (left, right) in zip(sorted, sorted.dropFirst()) { #expect(left < right) }
        for key in sorted { #expect(IndexKey(bytes: key.bytes) == key) }
        #expect(sorted.last?.inode == InodeNumber(.max))
        #expect(sorted.last?.chunk == .max)
    }

    @Test(arguments: [
        [], [0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 1, 5], [0, 0, 0, 0, 0, 0, 0, 1, 0, 9], [0, 0, 0, 0, 0, 0, 0, 1, 3],
        [0, 0, 0, 0, 0, 0, 0, 1, 3, 0x2F], [0, 0, 0, 0, 0, 0, 0, 1, 2], [0, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0, 0, 0, 0, 0],
    ] as [[UInt8]])
    func `bytes that are no key are refused`(bytes: [UInt8]) { #expect(IndexKey(bytes: bytes) == nil) }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func `an inode set holds exactly what was added`(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        var set = InodeSet()
        var expected: Set<UInt64> = []
        var inode: UInt64 = 0
        for _ in 0..<generator.below(80) {
            inode += UInt64(generator.below(generator.chance(60) ? 2 : 30))
            set.append(InodeNumber(inode))
            expected.insert(inode)
        }
        #expect((0...inode + 3).filter { set.contains(InodeNumber($0)) } == expected.sorted(), "seed \(seed)")
    }

    @Test(arguments: 0..<15 as Range<UInt64>)
    func `what a random history leaves behind comes back from a page`(seed: UInt64) throws {
        var history = RandomHistory(seed: seed)
        let changes = ChangeSet()
        for _ in 0..<40 {
            let transaction = history.next().transaction
            var frames: [(offset: UInt64, length: UInt32)] = []
            for number in 0..<8 as Range<UInt32> { frames.append((64 + UInt64(number) * 300_000, 200_000 + number)) }
            changes.apply([transaction], layout: try PayloadLayout([transaction]), frames: frames, object: 0)
        }
        var builder = IndexPageBuilder()
        var entries: [(key: IndexKey, value: IndexValue)] = []
        try changes.sortedEntries { key, value in
            entries.append((key, value))
            builder.append(key, value)
        }
        let taken = builder.take()
        let made = try #require(taken)
        let page = try IndexPage(decoding: made.bytes)
        #expect(made.firstKey == entries.first?.key)
        #expect(page.keys == entries.map(\.key), "seed \(seed)")
        #expect(page.keys == page.keys.sorted())
        for (index, entry) in entries.enumerated() {
            #expect(try page.value(at: index, objects: 1) == entry.value, "seed \(seed), \(entry.key)")
            #expect(page.lowerBound(entry.key) == index)
        }
        #expect(page.lowerBound(.first(InodeNumber(.max), .chunk)) == page.keys.count)
        #expect(page.lowerBound(.inode(InodeNumber(0))) == 0)
    }

    @Test func `a page without keys, or with keys out of order, is refused`() throws {
        #expect(throws: FormatError.self) { try IndexPage(decoding: []) }
        var builder = IndexPageBuilder()
        builder.append(.inode(InodeNumber(2)), .symbolicLink(target: []))
        builder.append(.inode(InodeNumber(1)), .symbolicLink(target: []))
        let taken = builder.take()
        let bytes = try #require(taken).bytes
        #expect(throws: FormatError.self) { try IndexPage(decoding: bytes) }
    }

    @Test func `an extent in an empty frame is refused`() throws {
        var map = ExtentMap()
        map.overwrite(Extent(start: 0, length: 5, object: 0, frameOffset: 700, frameLength: 0, skip: 0))
        var writer = ByteWriter()
        IndexValue.chunk(map).encode(into: &writer)
        let bytes = writer.bytes
        #expect(throws: FormatError.self) {
            try IndexValue(key: .chunk(InodeNumber(2), 0), bytes: bytes, in: 0..<bytes.count, objects: 1)
        }
    }

    @Test func `a tail whose groups leave transactions out is refused`() {
        let fine: [(LSN, LSN)] = [(LSN(1), LSN(4)), (LSN(5), LSN(9))]
        #expect(isDecoded(fine))
        let bad: [[(LSN, LSN)]] = [
            [(LSN(1), LSN(4)), (LSN(6), LSN(9))], [(LSN(1), LSN(9)), (LSN(1), LSN(9))], [(LSN(2), LSN(9))], [(LSN(1), LSN(8))],
        ]
        for groups in bad { #expect(!isDecoded(groups), "\(groups)") }
    }

    private func isDecoded(_ groups: [(LSN, LSN)]) -> Bool { (try? ObjectTail(decoding: tail(groups).encode())) != nil }

    @Test func `a segment's tail without an object for its extents is refused`() {
        var changed = tail([(LSN(1), LSN(9))])
        changed.objects = []
        let bytes = changed.encode()
        #expect(throws: FormatError.self) { try ObjectTail(decoding: bytes) }
    }

    private func tail(_ groups: [(LSN, LSN)]) -> ObjectTail {
        let time = Instant(nanoseconds: 5)
        return ObjectTail(
            first: LSN(1), last: LSN(9), firstTime: time, lastTime: time, previousHash: [],
            groups: groups.map {
                GroupReference(tableOffset: 64, tableLength: 40, first: $0.0, last: $0.1, firstTime: time, lastTime: time)
            },
            pages: [], inodes: InodeSet(),
            objects: [ObjectReference(timeline: "main", first: LSN(1), last: LSN(9), epoch: 1, id: .random())], highestInode: InodeNumber(1))
    }
}
