/// Extents of one file or chunk: sorted by `start`, never overlapping, neighbours that continue each other joined.
package struct ExtentMap: Hashable, Sendable {
    package private(set) var extents: [Extent] = []

    package init() {}

    /// Takes extents from a decoder; nil when they are not sorted and disjoint.
    package init?(sorted extents: [Extent]) {
        var end: UInt64 = 0
        for extent in extents {
            guard extent.start >= end, extent.length > 0, extent.start <= .max - extent.length else { return nil }
            end = extent.end
        }
        self.extents = extents
    }

    package var isEmpty: Bool { extents.isEmpty }

    /// The newest word about its range: replaces whatever stood there.
    package mutating func overwrite(_ extent: Extent) {
        if let last = extents.last, last.end <= extent.start {
            append(extent)
            return
        }
        let (lower, upper, left, right) = cut(extent.start..<extent.end)
        var replacement: [Extent] = []
        replacement.reserveCapacity(3)
        if let left { replacement.append(left) }
        replacement.append(extent)
        if let right { replacement.append(right) }
        extents.replaceSubrange(lower..<upper, with: replacement)
        join(around: lower, count: replacement.count)
    }

    /// Forgets what is known of `range`.
    package mutating func remove(_ range: Range<UInt64>) {
        guard !range.isEmpty, let last = extents.last, last.end > range.lowerBound else { return }
        let (lower, upper, left, right) = cut(range)
        var replacement: [Extent] = []
        if let left { replacement.append(left) }
        if let right { replacement.append(right) }
        extents.replaceSubrange(lower..<upper, with: replacement)
    }

    /// The parts of `range` that no extent covers.
    package func gaps(in range: Range<UInt64>) -> [Range<UInt64>] {
        var result: [Range<UInt64>] = []
        var position = range.lowerBound
        var index = firstIndex(endingAfter: range.lowerBound)
        while index < extents.count, extents[index].start < range.upperBound {
            if extents[index].start > position { result.append(position..<extents[index].start) }
            position = max(position, extents[index].end)
            index += 1
        }
        if position < range.upperBound { result.append(position..<range.upperBound) }
        return result
    }

    /// The extents that overlap `range`, clipped to it.
    package func overlapping(_ range: Range<UInt64>) -> [Extent] {
        var result: [Extent] = []
        var index = firstIndex(endingAfter: range.lowerBound)
        while index < extents.count, extents[index].start < range.upperBound {
            result.append(extents[index].clipped(to: range))
            index += 1
        }
        return result
    }

    /// Adds what an older layer knows, where nothing newer is known.
    package mutating func fill(from older: ExtentMap, in range: Range<UInt64>) {
        for gap in gaps(in: range) {
            for extent in older.overlapping(gap) { overwrite(extent) }
        }
    }

    /// For tests: sorted and disjoint.
    package func checkInvariants() -> Bool { ExtentMap(sorted: extents) != nil }

    private func firstIndex(endingAfter offset: UInt64) -> Int {
        var low = 0
        var high = extents.count
        while low < high {
            let middle = (low + high) / 2
            if extents[middle].end > offset { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// Which extents `range` touches (lower ..< upper), and what of the outermost ones stays.
    private func cut(_ range: Range<UInt64>) -> (lower: Int, upper: Int, left: Extent?, right: Extent?) {
        let lower = firstIndex(endingAfter: range.lowerBound)
        var upper = lower
        while upper < extents.count, extents[upper].start < range.upperBound { upper += 1 }
        guard lower < upper else { return (lower, upper, nil, nil) }
        let first = extents[lower]
        let last = extents[upper - 1]
        let left = first.start < range.lowerBound ? first.clipped(to: first.start..<range.lowerBound) : nil
        let right = last.end > range.upperBound ? last.clipped(to: range.upperBound..<last.end) : nil
        return (lower, upper, left, right)
    }

    private mutating func append(_ extent: Extent) {
        if let last = extents.last, last.isContinued(by: extent) {
            extents[extents.count - 1].length &+= extent.length
        } else {
            extents.append(extent)
        }
    }

    private mutating func join(around index: Int, count: Int) {
        var position = max(index - 1, 0)
        var steps = count + 1
        while steps > 0, position + 1 < extents.count {
            if extents[position].isContinued(by: extents[position + 1]) {
                extents[position].length &+= extents[position + 1].length
                extents.remove(at: position + 1)
            } else {
                position += 1
            }
            steps -= 1
        }
    }
}
