package import AsofCore
package import AsofFormat

/// What a timeline has from those that it goes on from: what is shown of its window beside its own.
package struct Inheritance: Sendable {
    /// Gaps before the point where it leaves its parent, oldest first.
    package private(set) var gaps: [Gap] = []
    /// Fuzzy cuts before it.
    package private(set) var fuzzyCuts = FuzzyCuts()

    /// Nothing: a timeline without a parent.
    package init() {}

    package init(_ timeline: Timeline, head: Head) throws(AsofError) {
        guard let parent = head.parent else { return }
        // Oldest first; the last one is the timeline itself.
        for generation in try timeline.generations(from: LSN(1), to: parent.lsn, head: head).dropLast() {
            gaps += generation.head.gaps.filter { $0.after.lsn < generation.end }
            for segment in generation.segments { fuzzyCuts.append(segment.fuzzy.upTo(generation.end), keeping: .max) }
        }
    }
}

extension FuzzyCuts {
    /// Those that are not behind `end`. Of a range of which only a part is, the count is the most that there can be.
    fileprivate func upTo(_ end: LSN) -> FuzzyCuts {
        let kept = ranges.filter { $0.first <= end }.map { range in
            var range = range
            if range.last > end {
                range.last = end
                range.count = min(range.count, end.rawValue - range.first.rawValue + 1)
            }
            return range
        }
        return FuzzyCuts(kept, within: LSN(1)...end) ?? FuzzyCuts()
    }
}
