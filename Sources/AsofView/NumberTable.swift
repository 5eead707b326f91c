internal import AsofCore

/// Small numbers, from 1 on, for keys that the kernel knows by a name. Each is kept for as long as the kernel holds a reference to it; then,
/// those that were let go first, they go to other keys.
struct NumberTable<Key: Hashable & Sendable>: Sendable {
    private struct Entry {
        var key: Key
        /// By which it was looked up last, and when: a count of look-ups.
        var name: Name
        var order: UInt64
        var references: UInt64
    }

    private let limit: Int
    private var entries: [Entry] = []
    private var numberOf: [Key: Int] = [:]
    private var unused: [Int] = []
    private var lookups: UInt64 = 0

    init(limit: Int) { self.limit = limit }

    /// Few numbers are left.
    var isCrowded: Bool { numberOf.count > limit / 4 * 3 }

    /// The key of a number to which there is a reference.
    func key(_ number: Int) -> Key? {
        guard number >= 1, number <= entries.count, entries[number - 1].references > 0 else { return nil }
        return entries[number - 1].key
    }

    /// The number of a key that was looked up, with one more reference; nil: every number has one.
    mutating func refer(to key: Key, by name: Name) -> Int? {
        lookups += 1
        if let number = numberOf[key] {
            entries[number - 1].name = name
            entries[number - 1].order = lookups
            entries[number - 1].references += 1
            return number
        }
        let entry = Entry(key: key, name: name, order: lookups, references: 1)
        let number: Int
        if entries.count < limit {
            entries.append(entry)
            number = entries.count
        } else {
            guard !unused.isEmpty else { return nil }
            number = unused.removeFirst()
            entries[number - 1] = entry
        }
        numberOf[key] = number
        return number
    }

    /// One more reference to a number that has one.
    mutating func refer(to number: Int) { if key(number) != nil { entries[number - 1].references += 1 } }

    /// True: these were the last references.
    mutating func forget(_ number: Int, count: UInt64) -> Bool {
        guard let key = key(number) else { return false }
        let left = entries[number - 1].references
        guard count >= left else {
            entries[number - 1].references = left - count
            return false
        }
        entries[number - 1].references = 0
        numberOf[key] = nil
        unused.append(number)
        return true
    }

    /// The names of the fourth of the numbers that were looked up longest ago.
    func oldestNames() -> [Name] {
        let known = numberOf.values.map { entries[$0 - 1] }.sorted { $0.order < $1.order }
        return known.prefix(max(1, limit / 4)).map(\.name)
    }
}
