/// A set of a file's bytes: ranges by offset, of which no two touch. RangeSet would do, but it is generic code of the standard library, which
/// is not specialised: a tenth of an append's time.
struct ByteRanges: Equatable {
    private(set) var ranges: [Range<UInt64>] = []

    var isEmpty: Bool { ranges.isEmpty }

    mutating func insert(_ range: Range<UInt64>) {
        guard !range.isEmpty else { return }
        // An append.
        if let last = ranges.indices.last, ranges[last].lowerBound <= range.lowerBound, range.lowerBound <= ranges[last].upperBound {
            ranges[last] = ranges[last].lowerBound..<max(ranges[last].upperBound, range.upperBound)
            return
        }
        let first = firstIndex { $0.upperBound >= range.lowerBound }
        var (end, joined) = (first, range)
        while end < ranges.count, ranges[end].lowerBound <= range.upperBound {
            joined = min(joined.lowerBound, ranges[end].lowerBound)..<max(joined.upperBound, ranges[end].upperBound)
            end += 1
        }
        ranges.replaceSubrange(first..<end, with: CollectionOfOne(joined))
    }

    mutating func remove(_ range: Range<UInt64>) {
        guard !range.isEmpty, let last = ranges.last, last.upperBound > range.lowerBound else { return }
        let first = firstIndex { $0.upperBound > range.lowerBound }
        var (end, left) = (first, [Range<UInt64>]())
        while end < ranges.count, ranges[end].lowerBound < range.upperBound {
            if ranges[end].lowerBound < range.lowerBound { left.append(ranges[end].lowerBound..<range.lowerBound) }
            if ranges[end].upperBound > range.upperBound { left.append(range.upperBound..<ranges[end].upperBound) }
            end += 1
        }
        if first < end { ranges.replaceSubrange(first..<end, with: left) }
    }

    /// The parts of the set within `range`, in order.
    func overlapping(_ range: Range<UInt64>) -> [Range<UInt64>] {
        guard overlaps(range) else { return [] }
        var result: [Range<UInt64>] = []
        for part in ranges[firstIndex { $0.upperBound > range.lowerBound }...] {
            guard part.lowerBound < range.upperBound else { break }
            result.append(part.clamped(to: range))
        }
        return result
    }

    func overlaps(_ range: Range<UInt64>) -> Bool {
        // Most writes go behind everything.
        guard !range.isEmpty, let last = ranges.last, last.upperBound > range.lowerBound else { return false }
        return ranges[firstIndex { $0.upperBound > range.lowerBound }].lowerBound < range.upperBound
    }

    /// The first range that `isFar` holds for, as it does for all behind it.
    private func firstIndex(_ isFar: (Range<UInt64>) -> Bool) -> Int {
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if isFar(ranges[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
