import AsofCore
import AsofFormat
import AsofFrame
import AsofTestSupport
import Testing

@Suite("A segment's groups")
struct SegmentBuilderTests {
    private func builder() throws -> SegmentBuilder {
        let id = try #require(ObjectID(bytes: Array(0..<16 as Range<UInt8>)))
        return SegmentBuilder(
            header: ObjectHeader(kind: .segment, id: id, first: LSN(1), epoch: 1), timeline: "main", previousHash: [], highestInode: .root,
            sealer: FrameSealer(object: id, repository: id, dataKey: nil), compression: .none)
    }

    @Test(arguments: 0..<3)
    func `a large transaction left where it is gives the same bytes as one that is copied, piece by piece`(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        // Writes in no order, and parts with other borders than theirs.
        let lengths = (0..<20).map { _ in Int.random(in: 1...900_000, using: &random) }
        let payload = (0..<lengths.reduce(0, +)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 9) }
        let operations = lengths.map { Operation.write(InodeNumber(UInt64.random(in: 2...5, using: &random)), offset: UInt64.random(in: 0...(1 << 30), using: &random), length: $0) }
        let small = Transaction(lsn: LSN(1), time: Instant(nanoseconds: 1), verb: .tick, operations: [.write(InodeNumber(3), offset: 7, length: 5)])
        let large = Transaction(lsn: LSN(2), time: Instant(nanoseconds: 2), verb: .tick, operations: operations)
        let (copied, kept) = (try builder(), try builder())
        for builder in [copied, kept] {
            _ = builder.begin()
            payload[..<5].withUnsafeBytes { builder.append(small, payload: $0) }
        }
        let expected = try payload.withUnsafeBytes { bytes in
            copied.append(large, payload: bytes)
            return try copied.closeGroup()
        }
        let (pieces, end) = try payload.withUnsafeBytes { bytes in
            var parts: [UnsafeRawBufferPointer] = []
            var start = 0
            while start < bytes.count {
                let length = min(bytes.count - start, Int.random(in: 1...(1 << 20), using: &random))
                parts.append(UnsafeRawBufferPointer(rebasing: bytes[start..<start + length]))
                start += length
            }
            kept.append(large, kept: parts)
            #expect(kept.isGroupFull)
            var pieces: [(bytes: [UInt8], offset: UInt64)] = []
            try kept.closeGroup { pieces.append(($0, $1)) }
            return (pieces, kept.length)
        }
        #expect(pieces.flatMap(\.bytes) == expected)
        #expect(pieces.count > 1 && pieces.allSatisfy { $0.bytes.count < 5 << 20 })
        for (piece, next) in zip(pieces, pieces.dropFirst()) { #expect(piece.offset + UInt64(piece.bytes.count) == next.offset) }
        #expect(end == copied.length)
        #expect(try kept.seal() == copied.seal())
        #expect(kept.summary().hash == copied.summary().hash)
    }
}
