package import AsofCore

/// Which cuts of a stretch of the log are fuzzy: some of their files may be torn.
///
/// What the head says of a segment, so it stays small: beyond a few ranges the two that lie closest are joined. Counts stay true.
package struct FuzzyCuts: Hashable, Sendable {
    /// The cuts from `first` to `last`, both fuzzy. `count` of them are; fewer than all only where ranges were joined.
    package struct Range: Hashable, Sendable {
        package var first: LSN
        package var last: LSN
        package var firstTime: Instant
        package var lastTime: Instant
        package var count: UInt64

        package init(first: LSN, last: LSN, firstTime: Instant, lastTime: Instant, count: UInt64) {
            self.first = first
            self.last = last
            self.firstTime = firstTime
            self.lastTime = lastTime
            self.count = count
        }
    }

    /// Ranges that are kept of one segment.
    package static let rangesMax = 4

    /// Oldest first, with cuts between them.
    package private(set) var ranges: [Range] = []

    package init() {}

    /// Nil: no log within `bounds` can have such ranges.
    package init?(_ ranges: [Range], within bounds: ClosedRange<LSN>) {
        var next = bounds.lowerBound
        for range in ranges {
            guard range.first >= next, range.last >= range.first, range.last <= bounds.upperBound, range.firstTime <= range.lastTime,
                range.count >= 1, range.count - 1 <= range.last.rawValue - range.first.rawValue
            else { return nil }
            next = range.last.next
        }
        self.ranges = ranges
    }

    package var isEmpty: Bool { ranges.isEmpty }
    /// How many cuts are fuzzy.
    package var count: UInt64 { ranges.reduce(0) { $0 &+ $1.count } }

    /// Adds a cut behind all others.
    package mutating func add(_ lsn: LSN, at time: Instant) {
        append(Range(first: lsn, last: lsn, firstTime: time, lastTime: time, count: 1), keeping: Self.rangesMax)
    }

    /// Adds those of the stretch that follows; at most `limit` ranges remain.
    package mutating func append(_ later: FuzzyCuts, keeping limit: Int = rangesMax) {
        for range in later.ranges { append(range, keeping: limit) }
    }

    private mutating func append(_ range: Range, keeping limit: Int) {
        ranges.append(range)
        let end = ranges.count - 1
        if end > 0, ranges[end - 1].last.next == range.first { join(end - 1) }
        while ranges.count > max(1, limit) { join(closest) }
    }

    /// The range that has the fewest cuts between itself and the next; of equals the oldest.
    private var closest: Int {
        (0..<ranges.count - 1).min { distance($0) < distance($1) } ?? 0
    }

    private func distance(_ index: Int) -> UInt64 { ranges[index + 1].first.rawValue &- ranges[index].last.rawValue }

    /// Joins a range with the next.
    private mutating func join(_ index: Int) {
        let later = ranges.remove(at: index + 1)
        ranges[index].last = later.last
        ranges[index].lastTime = later.lastTime
        ranges[index].count &+= later.count
    }
}
