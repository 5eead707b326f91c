internal import CLinux

/// Which token a directory's handle has: looked up by bytes as they lie in an event, without making an object of them.
///
/// Handles lie behind one another in one arena, and the hash table holds indices into an array of entries: about 70 bytes for a
/// directory, where a dictionary of `StableHandle` takes twice that and an allocation for each.
package struct HandleTable {
    private struct Entry {
        var start: Int
        var length: UInt16
        var hash: UInt32
        var token: UInt64
    }

    private var entries: [Entry] = []
    /// Indices of entries nobody uses.
    private var free: [UInt32] = []
    private var arena: [UInt8] = []
    /// Bytes of the arena that belong to removed entries.
    private var wasted = 0
    /// Index of an entry and 1; 0 is empty. Always a power of two of them, at most two thirds used, so every probe ends.
    private var slots: [UInt32] = [UInt32](repeating: 0, count: 16)
    private var indices: [WatchToken: UInt32] = [:]

    package init() {}

    package var count: Int { indices.count }

    /// Memory that it uses; dictionaries hold an eighth to a half more than their elements.
    package var byteCount: Int {
        entries.capacity * MemoryLayout<Entry>.stride + arena.capacity + slots.capacity * 4 + free.capacity * 4
            + indices.capacity * 12 * 4 / 3
    }

    package func token(of handle: UnsafeRawBufferPointer) -> WatchToken? {
        guard let slot = slot(of: handle, hash: Self.hash(handle)) else { return nil }
        return WatchToken(entries[Int(slots[slot] - 1)].token)
    }

    /// A handle has one token and a token one handle: the newest pair wins.
    package mutating func set(_ handle: UnsafeRawBufferPointer, _ token: WatchToken) {
        remove(token)
        let hash = Self.hash(handle)
        if let slot = slot(of: handle, hash: hash) {
            let index = slots[slot] - 1
            indices[WatchToken(entries[Int(index)].token)] = nil
            entries[Int(index)].token = token.rawValue
            indices[token] = index
            return
        }
        if (count + 1) * 3 > slots.count * 2 { rebuildSlots(count: slots.count * 2) }
        let entry = Entry(start: arena.count, length: UInt16(clamping: handle.count), hash: hash, token: token.rawValue)
        arena.append(contentsOf: handle.prefix(Int(entry.length)))
        let index: UInt32
        if let reused = free.popLast() {
            entries[Int(reused)] = entry
            index = reused
        } else {
            index = UInt32(entries.count)
            entries.append(entry)
        }
        indices[token] = index
        place(index)
    }

    package mutating func remove(_ token: WatchToken) {
        guard let index = indices.removeValue(forKey: token) else { return }
        vacate(index)
        free.append(index)
        wasted += Int(entries[Int(index)].length)
        entries[Int(index)].length = 0
        if wasted > 4096, wasted > arena.count / 2 { compactArena() }
    }

    // MARK: Slots

    private static func hash(_ handle: UnsafeRawBufferPointer) -> UInt32 {
        UInt32(truncatingIfNeeded: asof_mix64(0, handle.baseAddress, handle.count))
    }

    private func slot(of handle: UnsafeRawBufferPointer, hash: UInt32) -> Int? {
        let mask = slots.count - 1
        var slot = Int(hash) & mask
        while slots[slot] != 0 {
            let entry = entries[Int(slots[slot] - 1)]
            if entry.hash == hash, Int(entry.length) == handle.count,
                arena[entry.start..<(entry.start + Int(entry.length))].elementsEqual(handle)
            {
                return slot
            }
            slot = (slot + 1) & mask
        }
        return nil
    }

    private mutating func place(_ index: UInt32) {
        let mask = slots.count - 1
        var slot = Int(entries[Int(index)].hash) & mask
        while slots[slot] != 0 { slot = (slot + 1) & mask }
        slots[slot] = index + 1
    }

    /// Empties the slot of an entry and moves back what had been pushed past it, so that no probe stops too early.
    private mutating func vacate(_ index: UInt32) {
        let mask = slots.count - 1
        var hole = Int(entries[Int(index)].hash) & mask
        while slots[hole] != index + 1 {
            if slots[hole] == 0 { return }
            hole = (hole + 1) & mask
        }
        var next = (hole + 1) & mask
        while slots[next] != 0 {
            let home = Int(entries[Int(slots[next] - 1)].hash) & mask
            // The one at `next` may move unless its home lies behind the hole.
            if (next - home) & mask >= (next - hole) & mask {
                slots[hole] = slots[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        slots[hole] = 0
    }

    private mutating func rebuildSlots(count: Int) {
        slots = [UInt32](repeating: 0, count: count)
        for index in indices.values { place(index) }
    }

    private mutating func compactArena() {
        var compact: [UInt8] = []
        compact.reserveCapacity(arena.count - wasted)
        for index in indices.values {
            let entry = entries[Int(index)]
            entries[Int(index)].start = compact.count
            compact.append(contentsOf: arena[entry.start..<(entry.start + Int(entry.length))])
        }
        arena = compact
        wasted = 0
    }
}
