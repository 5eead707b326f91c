/// What a mistyped word was probably meant to be.
enum Nearest {
    /// The candidate with the fewest slips of the hand from `word`, or nil when none is near enough to be worth saying.
    static func to(_ word: String, among candidates: [String]) -> String? {
        // Longer than any word here: not a slip, and the distance costs the product of the lengths.
        guard word.utf8.count <= 40 else { return nil }
        let letters = Array(word.lowercased().utf8)
        var best: (word: String, distance: Int)?
        for candidate in candidates {
            let other = Array(candidate.utf8)
            let distance = distance(letters, other)
            guard distance <= (max(letters.count, other.count) + 3) / 4, distance < best?.distance ?? .max else { continue }
            best = (candidate, distance)
        }
        if let best { return best.word }
        let longer = candidates.filter { letters.count >= 2 && $0.utf8.starts(with: letters) }
        return longer.count == 1 ? longer.first : nil
    }

    /// Insertions, deletions, replacements and exchanges of neighbours that turn `left` into `right`.
    static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for (row, letter) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                var best = min(last[column + 1] + 1, current[column] + 1, last[column] + (letter == other ? 0 : 1))
                if row > 0, column > 0, letter == right[column - 1], left[row - 1] == other {
                    best = min(best, beforeLast[column - 1] + 1)
                }
                current.append(best)
            }
            (beforeLast, last) = (last, current)
        }
        return last.last ?? 0
    }
}
