import AsofFormat
import AsofTestSupport
import Testing

/// Every byte of a small file with its owner: what an extent map and erased ranges are compared with.
@Suite("Extents against a byte for each byte")
struct ExtentMapTests {
    private static let size = 96

    /// Where byte `offset` comes from, as one number; nil: nothing known.
    private func owners(_ map: ExtentMap) -> [UInt64?] {
        var result = [UInt64?](repeating: nil, count: Self.size)
        for extent in map.extents {
            for offset in extent.start..<extent.end {
                result[Int(offset)] = extent.isZero ? .max : UInt64(extent.object) << 40 | extent.frameOffset << 20 | UInt64(extent.skip) + offset - extent.start
            }
        }
        return result
    }

    private func random(_ generator: inout SplitMix64) -> Range<UInt64> {
        let start = generator.below(Self.size - 1)
        return UInt64(start)..<UInt64(start + 1 + generator.below(min(24, Self.size - start)))
    }

    private func extent(_ range: Range<UInt64>, _ generator: inout SplitMix64) -> Extent {
        if generator.chance(20) { return .zero(start: range.lowerBound, length: UInt64(range.count)) }
        // Positions that follow the file's, so that neighbours often continue each other.
        let object = UInt32(generator.below(2))
        return Extent(
            start: range.lowerBound, length: UInt64(range.count), object: object, frameOffset: UInt64(generator.below(2)) * 64, frameLength: 50,
            skip: UInt32(range.lowerBound) + UInt32(generator.below(2)) * 500)
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func `overwriting, removing, filling and asking agree`(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        var map = ExtentMap()
        for step in 0..<60 {
            let range = random(&generator)
            var expected = owners(map)
            switch generator.below(4) {
            case 0, 1:
                let added = extent(range, &generator)
                var alone = ExtentMap()
                alone.overwrite(added)
                for (offset, owner) in owners(alone).enumerated() where owner != nil { expected[offset] = owner }
                map.overwrite(added)
            case 2:
                for offset in range { expected[Int(offset)] = nil }
                map.remove(range)
            default:
                var older = ExtentMap()
                for _ in 0..<3 { older.overwrite(extent(random(&generator), &generator)) }
                let theirs = owners(older)
                for offset in range where expected[Int(offset)] == nil { expected[Int(offset)] = theirs[Int(offset)] }
                map.fill(from: older, in: range)
            }
            #expect(owners(map) == expected, "seed \(seed), step \(step)")
            #expect(map.checkInvariants(), "seed \(seed), step \(step)")
            let asked = random(&generator)
            var known = [Bool](repeating: false, count: Self.size)
            for part in map.overlapping(asked) {
                #expect(asked.lowerBound <= part.start && part.end <= asked.upperBound)
                for offset in part.start..<part.end { known[Int(offset)] = true }
            }
            let gaps = map.gaps(in: asked)
            let isKnown = (0..<Self.size).map { known[$0] && asked.contains(UInt64($0)) }
            #expect(known == isKnown && isKnown == (0..<Self.size).map { asked.contains(UInt64($0)) && expected[$0] != nil }, "seed \(seed), step \(step)")
            let isGap = (0..<Self.size).map { offset in gaps.contains { $0.contains(UInt64(offset)) } }
            #expect(isGap == (0..<Self.size).map { asked.contains(UInt64($0)) && expected[$0] == nil }, "seed \(seed), step \(step)")
        }
    }

    @Test func `appends that go on in one frame are one extent`() {
        var map = ExtentMap()
        for index in 0..<100 as Range<UInt64> {
            map.overwrite(Extent(start: index * 10, length: 10, object: 0, frameOffset: 64, frameLength: 900, skip: UInt32(index * 10)))
        }
        #expect(map.extents.count == 1)
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func `erased ranges agree`(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        var erased = ErasedRanges()
        var expected = [Bool](repeating: false, count: Self.size)
        for step in 0..<25 {
            let range = random(&generator)
            for offset in range { expected[Int(offset)] = true }
            if generator.chance(50) {
                erased.insert(range)
            } else {
                var other = ErasedRanges()
                other.insert(range)
                erased.formUnion(other)
            }
            let found = (0..<Self.size).map { offset in erased.ranges.contains { $0.contains(UInt64(offset)) } }
            #expect(found == expected, "seed \(seed), step \(step)")
            #expect(ErasedRanges(sorted: erased.ranges) == erased, "seed \(seed), step \(step)")
            let wanted = [0..<20, 30..<31, 40..<90] as [Range<UInt64>]
            let rest = erased.removed(from: wanted)
            let isLeft = (0..<UInt64(Self.size)).map { offset in rest.contains { $0.contains(offset) } }
            let isWanted = (0..<UInt64(Self.size)).map { offset in wanted.contains { $0.contains(offset) } && !expected[Int(offset)] }
            #expect(isLeft == isWanted, "seed \(seed), step \(step)")
        }
    }

    @Test func `erased ranges that are not sorted and apart are refused`() {
        #expect(ErasedRanges(sorted: [5..<9, 1..<3]) == nil)
        #expect(ErasedRanges(sorted: [1..<3, 3..<9]) == nil)
        #expect(ErasedRanges(sorted: [1..<1]) == nil)
    }
}
