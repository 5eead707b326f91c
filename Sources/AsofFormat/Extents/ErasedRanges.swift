/// Ranges of a file that a layer erased (truncations, a birth, large holes): whatever **older** layers know of them reads as zero.
package struct ErasedRanges: Hashable, Sendable {
    /// Sorted, disjoint, not touching. A range that ends at `UInt64.max` reaches to the end of any file.
    package private(set) var ranges: [Range<UInt64>] = []

    package init() {}

    /// Takes ranges from a decoder; nil when they are not sorted and apart.
    package init?(sorted ranges: [Range<UInt64>]) {
        for (left, right) in zip(ranges, ranges.dropFirst()) where left.upperBound >= right.lowerBound { return nil }
        guard ranges.allSatisfy({ !$0.isEmpty }) else { return nil }
        self.ranges = ranges
    }

    package var isEmpty: Bool { ranges.isEmpty }

    package mutating func insert(_ range: Range<UInt64>) {
        guard !range.isEmpty else { return }
        var merged = range
        var kept: [Range<UInt64>] = []
        kept.reserveCapacity(ranges.count + 1)
        var isPlaced = false
        for existing in ranges {
            if existing.upperBound < merged.lowerBound {
                kept.append(existing)
            } else if existing.lowerBound > merged.upperBound {
                if !isPlaced { kept.append(merged); isPlaced = true }
                kept.append(existing)
            } else {
                merged = min(existing.lowerBound, merged.lowerBound)..<max(existing.upperBound, merged.upperBound)
            }
        }
        if !isPlaced { kept.append(merged) }
        ranges = kept
    }

    package mutating func formUnion(_ other: ErasedRanges) { for range in other.ranges { insert(range) } }

    /// `wanted` without what is erased.
    package func removed(from wanted: [Range<UInt64>]) -> [Range<UInt64>] {
        guard !ranges.isEmpty else { return wanted }
        var result: [Range<UInt64>] = []
        for range in wanted {
            var position = range.lowerBound
            for erased in ranges where erased.upperBound > position && erased.lowerBound < range.upperBound {
                if erased.lowerBound > position { result.append(position..<erased.lowerBound) }
                position = max(position, erased.upperBound)
                if position >= range.upperBound { break }
            }
            if position < range.upperBound { result.append(position..<range.upperBound) }
        }
        return result
    }
}
