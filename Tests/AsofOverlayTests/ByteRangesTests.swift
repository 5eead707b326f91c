import AsofTestSupport
import Testing
@testable import AsofOverlay

/// Sets of a file's bytes against a model that has each byte.
struct ByteRangesTests {
    private func range(_ random: inout SplitMix64) -> Range<UInt64> {
        let start = UInt64(random.below(64))
        return start..<start + UInt64(random.below(20))
    }

    private func members(_ ranges: [Range<UInt64>]) -> Set<UInt64> { Set(ranges.flatMap { Array($0) }) }

    @Test(arguments: 0..<40 as Range<UInt64>) func randomOperations(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var set = ByteRanges()
        var model: Set<UInt64> = []
        for _ in 0..<200 {
            let range = range(&random)
            if random.chance(60) {
                set.insert(range)
                model.formUnion(range)
            } else {
                set.remove(range)
                model.subtract(range)
            }
            #expect(members(set.ranges) == model)
            #expect(set.isEmpty == model.isEmpty)
            #expect(zip(set.ranges, set.ranges.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound } && set.ranges.allSatisfy { !$0.isEmpty })
            let asked = self.range(&random)
            #expect(members(set.overlapping(asked)) == model.intersection(asked))
            #expect(set.overlaps(asked) == !model.isDisjoint(with: asked))
            #expect(set.overlapping(asked).allSatisfy { !$0.isEmpty } && set.overlapping(asked) == set.overlapping(asked).sorted { $0.lowerBound < $1.lowerBound })
        }
    }

    @Test func theEndOfAllOffsets() {
        var set = ByteRanges()
        set.insert(.max - 5 ..< .max)
        set.insert(0..<1)
        set.remove(1..<UInt64.max)
        #expect(set.ranges == [0..<1])
        set.insert(1..<UInt64.max)
        #expect(set.ranges == [0..<UInt64.max])
        #expect(set.overlapping(7..<9) == [7..<9])
    }
}
