internal import CLinux
internal import Glibc

/// Recognises events that said the same before, so that a thousand writes to one file cost one entry and no allocation.
///
/// A cache, not a set: it may forget, and then something is noted twice. It never claims to have seen what it has not, since it
/// compares all bytes.
package struct RepeatFilter {
    private struct Cell {
        var hash: UInt64 = 0
        var generation: UInt32 = 0
        var length: UInt32 = 0
        var start = 0
    }

    private static let cellCount = 2048
    private static let arenaLimit = 256 << 10

    private var cells = [Cell](repeating: Cell(), count: cellCount)
    private var arena: [UInt8] = []
    /// Cells of other generations are empty.
    private var generation: UInt32 = 1

    package init() { arena.reserveCapacity(Self.arenaLimit) }

    package var byteCount: Int { cells.capacity * MemoryLayout<Cell>.stride + arena.capacity }

    /// Whether the same bytes came since the last `forget`, as far as it remembers; remembers them.
    package mutating func isRepeated(_ event: UnsafeRawBufferPointer) -> Bool {
        guard let base = event.baseAddress, event.count <= 512 else { return false }
        let hash = asof_mix64(0, base, event.count)
        let index = Int(truncatingIfNeeded: hash & UInt64(Self.cellCount - 1))
        let cell = cells[index]
        if cell.generation == generation, cell.hash == hash, Int(cell.length) == event.count {
            let isSame = arena.withUnsafeBytes { arena in
                arena.baseAddress.map { memcmp($0 + cell.start, base, event.count) == 0 } ?? false
            }
            if isSame { return true }
        }
        if arena.count + event.count > Self.arenaLimit { forget() }
        cells[index] = Cell(hash: hash, generation: generation, length: UInt32(event.count), start: arena.count)
        arena.append(contentsOf: event)
        return false
    }

    /// Whatever comes next is new.
    package mutating func forget() {
        arena.removeAll(keepingCapacity: true)
        generation &+= 1
        // Once in four billion times: cells of that generation's last use would count again.
        if generation == 0 {
            cells = [Cell](repeating: Cell(), count: Self.cellCount)
            generation = 1
        }
    }
}
