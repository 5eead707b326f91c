@testable import AsofCapture
import AsofTestSupport
import Testing

@Suite("Referenced ranges")
struct ReferencedRangesTests {
    /// Against a list that is searched from end to end.
    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func `what overlaps is taken out, and nothing else`(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var ranges = ReferencedRanges()
        var model: [(range: Range<UInt64>, intent: UInt64)] = []
        for intent in 1...400 as ClosedRange<UInt64> {
            let start = UInt64(random.below(5000))
            let range = start..<start + UInt64(1 + random.below(200))
            let expected = model.filter { $0.range.overlaps(range) }.map(\.intent)
            #expect(Set(ranges.take(overlapping: range)) == Set(expected), "seed \(seed), step \(intent)")
            model.removeAll { $0.range.overlaps(range) }
            if random.chance(80) {
                ranges.insert(range, intent)
                model.append((range, intent))
            }
            if random.chance(5) {
                let dropped = Set(model.filter { _ in random.chance(30) }.map(\.intent))
                ranges.remove(dropped)
                model.removeAll { dropped.contains($0.intent) }
            }
        }
        #expect(Set(ranges.take(overlapping: 0..<UInt64.max)) == Set(model.map(\.intent)), "seed \(seed)")
    }
}
