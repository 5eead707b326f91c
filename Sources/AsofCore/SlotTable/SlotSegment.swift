/// One part of a `SlotTable`: open addressing with linear probing, in cells of 32 bits.
///
/// A cell holds a slot and 1, so that 0 is empty, in as many bits as the slots need; the bits above it hold as much of the hash as fits. With two
/// million slots those are 11: all but one of 2000 wrong candidates are told without a look at their record, which would be a cache miss.
/// What a hash's bits are for, from below: which segment, the tag (from bit 20 on), the home cell (from bit 32 on).
struct SlotSegment {
    private var cells: [UInt32]
    /// As the array has it, but without a look at its header, which lies in another cache line.
    private var cellCount: UInt32
    private var used: UInt32 = 0
    private var slotBits: UInt8 = 0

    init(room count: Int = 0) {
        cellCount = Self.cellCount(for: count)
        cells = [UInt32](repeating: 0, count: Int(cellCount))
    }

    var byteCount: Int { cells.capacity * 4 + Self.arrayHeaderLength }
    /// Of a Swift array, and of malloc.
    private static let arrayHeaderLength = 48

    /// All, in no order.
    var slots: [UInt32] { cells.lazy.filter { $0 != 0 }.map(slot) }

    /// Where a search is.
    struct Probe {
        fileprivate let tag: UInt32
        fileprivate var position: Int
    }

    func probe(_ hash: UInt64) -> Probe { Probe(tag: tag(hash), position: home(hash)) }

    func next(_ probe: inout Probe) -> UInt32? {
        let tagMask: UInt32 = .max << slotBits
        return cells.withUnsafeBufferPointer { cells in
            // Some cell is always empty.
            while cells[probe.position] != 0 {
                let cell = cells[probe.position]
                probe.position = after(probe.position)
                if (cell ^ probe.tag) & tagMask == 0 { return slot(cell) }
            }
            return nil
        }
    }

    mutating func insert(_ slot: UInt32, _ hash: UInt64, _ hashOf: (UInt32) -> UInt64) {
        let bits = max(slotBits, UInt8(32 - (slot + 1).leadingZeroBitCount))
        // Three quarters at most, so that every probe ends, and soon.
        let isFull = (Int(used) + 1) * 4 > Int(cellCount) * 3
        if isFull || bits != slotBits {
            rebuild(cellCount: isFull ? Self.cellCount(for: Int(used) + 1) : cellCount, slotBits: bits, hashOf)
        }
        place(slot, hash)
        used += 1
    }

    /// False: it is not there.
    mutating func remove(_ slot: UInt32, _ hash: UInt64, _ hashOf: (UInt32) -> UInt64) -> Bool {
        var position = home(hash)
        while cells[position] != 0, self.slot(cells[position]) != slot { position = after(position) }
        guard cells[position] != 0 else { return false }
        vacate(position, hashOf)
        used -= 1
        if cellCount > 64, used < cellCount / 3 { rebuild(cellCount: Self.cellCount(for: Int(used)), slotBits: slotBits, hashOf) }
        return true
    }

    // MARK: Cells

    private static func cellCount(for count: Int) -> UInt32 { UInt32(count + count * 2 / 3 + 4) }

    private func slot(_ cell: UInt32) -> UInt32 { (cell & ~(.max << slotBits)) - 1 }

    private func tag(_ hash: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: hash >> 20) << slotBits }

    private func home(_ hash: UInt64) -> Int { Int(((hash >> 32) * UInt64(cellCount)) >> 32) }

    private func after(_ position: Int) -> Int { position + 1 == Int(cellCount) ? 0 : position + 1 }

    private mutating func place(_ slot: UInt32, _ hash: UInt64) {
        var position = home(hash)
        while cells[position] != 0 { position = after(position) }
        cells[position] = tag(hash) | (slot + 1)
    }

    /// Empties a cell and moves back what had been pushed past it, so that no probe stops too early.
    private mutating func vacate(_ position: Int, _ hashOf: (UInt32) -> UInt64) {
        var hole = position
        var next = after(hole)
        while cells[next] != 0 {
            // The one at `next` may move unless its home lies behind the hole.
            if distance(home(hashOf(slot(cells[next]))), next) >= distance(hole, next) {
                cells[hole] = cells[next]
                hole = next
            }
            next = after(next)
        }
        cells[hole] = 0
    }

    private func distance(_ start: Int, _ end: Int) -> Int { end >= start ? end - start : end - start + Int(cellCount) }

    private mutating func rebuild(cellCount: UInt32, slotBits bits: UInt8, _ hashOf: (UInt32) -> UInt64) {
        let slots = slots
        self.cellCount = cellCount
        cells = [UInt32](repeating: 0, count: Int(cellCount))
        slotBits = bits
        for slot in slots { place(slot, hashOf(slot)) }
    }
}
