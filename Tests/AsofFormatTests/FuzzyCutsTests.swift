import AsofCore
import AsofFormat
import Testing

@Suite("Fuzzy cuts")
struct FuzzyCutsTests {
    private func cuts(_ lsns: [UInt64]) -> FuzzyCuts {
        lsns.reduce(into: FuzzyCuts()) { $0.add(LSN($1), at: Instant(nanoseconds: Int64($1) * 10)) }
    }

    private func spans(_ cuts: FuzzyCuts) -> [[UInt64]] { cuts.ranges.map { [$0.first.rawValue, $0.last.rawValue, $0.count] } }

    @Test func `cuts that follow each other are one range`() {
        let found = cuts([3, 4, 5, 9])
        #expect(spans(found) == [[3, 5, 3], [9, 9, 1]])
        #expect(found.ranges[0].firstTime == Instant(nanoseconds: 30) && found.ranges[0].lastTime == Instant(nanoseconds: 50))
        #expect(found.count == 4)
    }

    @Test func `beyond the limit the closest ranges are joined, and the count stays true`() {
        #expect(spans(cuts([1, 10, 20, 23, 40])) == [[1, 1, 1], [10, 10, 1], [20, 23, 2], [40, 40, 1]])
        let many = cuts((1...5000).map { $0 * 2 })
        #expect(many.ranges.count == FuzzyCuts.rangesMax && many.count == 5000)
        #expect(many.ranges.first?.first == LSN(2) && many.ranges.last?.last == LSN(10_000))
    }

    @Test func `two stretches become one: ranges that meet are joined, counts are added`() {
        var both = cuts([3, 7, 8])
        both.append(cuts([9, 12]))
        #expect(spans(both) == [[3, 3, 1], [7, 9, 3], [12, 12, 1]])
        both.append(cuts([20, 30, 40, 50]), keeping: .max)
        #expect(both.ranges.count == 7 && both.count == 9)
        var few = both
        few.append(cuts([60]))
        #expect(few.ranges.count == FuzzyCuts.rangesMax && few.count == 10)
    }

    @Test func `ranges that cannot be are refused`() {
        func range(_ first: UInt64, _ last: UInt64, _ count: UInt64, _ times: (Int64, Int64) = (1, 2)) -> FuzzyCuts.Range {
            FuzzyCuts.Range(
                first: LSN(first), last: LSN(last), firstTime: Instant(nanoseconds: times.0), lastTime: Instant(nanoseconds: times.1),
                count: count)
        }
        let bounds = LSN(5)...LSN(9)
        for good in [[], [range(5, 9, 5)], [range(5, 7, 2), range(8, 8, 1)]] { #expect(FuzzyCuts(good, within: bounds) != nil) }
        for bad in [
            [range(4, 6, 1)], [range(8, 10, 1)], [range(7, 6, 1)], [range(5, 6, 0)], [range(5, 6, 3)], [range(5, 6, .max)],
            [range(5, 7, 1), range(7, 8, 1)], [range(8, 8, 1), range(5, 5, 1)], [range(5, 6, 1, (2, 1))],
        ] { #expect(FuzzyCuts(bad, within: bounds) == nil, "\(bad)") }
        #expect(FuzzyCuts([range(1, .max, .max)], within: LSN(1)...LSN(.max)) != nil)
    }
}
