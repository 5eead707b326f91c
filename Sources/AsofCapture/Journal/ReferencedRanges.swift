/// Ranges of one file that the journal refers to, with the intents they belong to. Disjoint: whoever writes over one takes it out first.
struct ReferencedRanges {
    private struct Entry {
        var range: Range<UInt64>
        var intent: Journal.Position
    }

    /// By offset.
    private var entries: [Entry] = []

    /// `range` overlaps none that is here.
    mutating func insert(_ range: Range<UInt64>, _ intent: Journal.Position) {
        entries.insert(Entry(range: range, intent: intent), at: firstIndex(endingBehind: range.lowerBound))
    }

    /// Takes out what overlaps `range`; returns the intents.
    mutating func take(overlapping range: Range<UInt64>) -> [Journal.Position] {
        let first = firstIndex(endingBehind: range.lowerBound)
        var end = first
        while end < entries.count, entries[end].range.lowerBound < range.upperBound { end += 1 }
        guard first < end else { return [] }
        defer { entries.removeSubrange(first..<end) }
        return entries[first..<end].map(\.intent)
    }

    mutating func remove(_ intents: Set<Journal.Position>) { entries.removeAll { intents.contains($0.intent) } }

    /// The first entry with a byte at or behind `offset`; appends come at the end.
    private func firstIndex(endingBehind offset: UInt64) -> Int {
        var (low, high) = (0, entries.count)
        if let last = entries.last, last.range.upperBound <= offset { return high }
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].range.upperBound <= offset { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
