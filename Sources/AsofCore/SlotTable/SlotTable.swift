/// Finds numbered records by a key that the records themselves hold: a hash table of nothing but the numbers ("slots").
///
/// It grows by linear hashing: of many small segments one is split at a time, so that no call moves more than some hundreds of elements, however
/// many there are, and 60 to 75 % of the cells are in use: about 6 bytes for an element. The table sees no keys. Whoever calls gives a key's
/// hash, looks which of the records that may be meant is the one, and gives the hash of a record that has to move (`hashOf`).
///
///     var probe = table.probe(hash)
///     while let slot = table.next(&probe) { if records[slot].key == key { return slot } }
package struct SlotTable: Sendable {
    /// A segment for each so many elements, on average; one that is due to be split has up to twice as many.
    private static let segmentCount = 256

    private var segments = [SlotSegment()]
    /// The lowest number of ones that covers the index of every segment.
    private var mask = 0
    package private(set) var count = 0

    package init() {}

    /// Bytes of memory, what malloc adds included.
    package var byteCount: Int { segments.capacity * MemoryLayout<SlotSegment>.stride + segments.reduce(0) { $0 + $1.byteCount } }

    /// Of a number, for keys that are one: different numbers have different hashes (the last step of SplitMix64).
    package static func hash(_ number: UInt64) -> UInt64 {
        var hash = number
        hash = (hash ^ (hash >> 30)) &* 0xBF58_476D_1CE4_E5B9
        hash = (hash ^ (hash >> 27)) &* 0x94D0_49BB_1331_11EB
        return hash ^ (hash >> 31)
    }

    /// A search for the records with a hash; over when the table changes.
    package struct Probe {
        fileprivate let segment: Int
        fileprivate var probe: SlotSegment.Probe
    }

    package func probe(_ hash: UInt64) -> Probe {
        let index = index(hash)
        return Probe(segment: index, probe: segments[index].probe(hash))
    }

    /// The next slot that may have the hash.
    package func next(_ probe: inout Probe) -> UInt32? { segments[probe.segment].next(&probe.probe) }

    /// Takes a slot that is not in the table; its record must have its key already.
    package mutating func insert(_ slot: UInt32, _ hash: UInt64, hashOf: (UInt32) -> UInt64) {
        segments[index(hash)].insert(slot, hash, hashOf)
        count += 1
        if count > segments.count * Self.segmentCount { split(hashOf) }
    }

    /// Forgets a slot whose record still has its key; one that is not in the table is ignored.
    package mutating func remove(_ slot: UInt32, _ hash: UInt64, hashOf: (UInt32) -> UInt64) {
        if segments[index(hash)].remove(slot, hash, hashOf) { count -= 1 }
    }

    /// A hash's lowest bits; where they name a segment that is not there yet, the one that it will be split from.
    private func index(_ hash: UInt64) -> Int {
        let index = Int(truncatingIfNeeded: hash) & mask
        return index < segments.count ? index : index & (mask >> 1)
    }

    private mutating func split(_ hashOf: (UInt32) -> UInt64) {
        if segments.count > mask { mask = mask << 1 | 1 }
        let source = segments.count & (mask >> 1)
        let slots = segments[source].slots
        segments[source] = SlotSegment(room: slots.count / 2)
        segments.append(SlotSegment(room: slots.count / 2))
        for slot in slots {
            let hash = hashOf(slot)
            segments[index(hash)].insert(slot, hash, hashOf)
        }
    }
}
