import AsofCore
import Testing

@Suite("Slot table")
struct SlotTableTests {
    /// Records are numbers; their hashes are good, or as bad as can be in one of their uses.
    static let hashes: [(String, @Sendable (UInt64) -> UInt64)] = [
        ("good", { SlotTable.hash($0) }),
        ("all in one segment", { SlotTable.hash($0) << 20 }),
        ("one home cell in a segment", { SlotTable.hash($0) & 0xFFFF_FFFF }),
        ("seven", { $0 % 7 &* 0x9E37_79B9_7F4A_7C15 }),
    ]

    @Test(arguments: hashes.indices)
    func `the table agrees with a dictionary`(index: Int) {
        var random = SeededGenerator(seed: UInt64(index))
        let hash = Self.hashes[index].1
        let limit: UInt64 = index == 0 ? 20_000 : 800
        var (table, keys, slots): (SlotTable, [UInt32: UInt64], [UInt64: UInt32]) = (SlotTable(), [:], [:])
        for step in 0..<Int(limit) * 5 {
            let key = random.next() % limit
            let isFilling = step < Int(limit) * 2
            if let slot = slots[key] {
                guard !isFilling else { continue }
                table.remove(slot, hash(key)) { hash(keys[$0] ?? 0) }
                slots[key] = nil
                keys[slot] = nil
            } else {
                // Small ones, and ones that need all 32 bits.
                let slot = key % 100 == 7 ? .max - 1 - UInt32(key) : UInt32(key) * 3
                slots[key] = slot
                keys[slot] = key
                table.insert(slot, hash(key)) { hash(keys[$0] ?? 0) }
            }
            #expect(table.count == slots.count)
        }
        for key in 0..<limit { #expect(Self.found(key, table, hash, keys) == slots[key], "\(Self.hashes[index].0): \(key)") }
        for (key, slot) in slots { table.remove(slot, hash(key)) { hash(keys[$0] ?? 0) } }
        #expect(table.count == 0)
    }

    private static func found(_ key: UInt64, _ table: SlotTable, _ hash: (UInt64) -> UInt64, _ keys: [UInt32: UInt64]) -> UInt32? {
        var probe = table.probe(hash(key))
        while let slot = table.next(&probe) { if keys[slot] == key { return slot } }
        return nil
    }

    @Test func `a slot that is not in the table cannot be removed`() {
        var table = SlotTable()
        table.insert(4, 9) { _ in 9 }
        table.remove(5, 9) { _ in 9 }
        #expect(table.count == 1)
        table.remove(4, 9) { _ in 9 }
        table.remove(4, 9) { _ in 9 }
        #expect(table.count == 0)
    }

    /// What a clock would show, counted: strangers that a search looks at, elements that a change moves, bytes.
    @Test func `searches end soon, no change moves many elements, and cells are well used`() {
        let count: UInt32 = 60_000
        var table = SlotTable()
        var (hashed, most) = (0, 0)
        func hash(_ slot: UInt32) -> UInt64 { SlotTable.hash(UInt64(slot)) }
        for slot in 0..<count {
            let before = hashed
            table.insert(slot, hash(slot)) {
                hashed += 1
                return hash($0)
            }
            most = max(most, hashed - before)
        }
        #expect(most < 2000)
        #expect(hashed < Int(count) * 8)
        #expect(table.byteCount < Int(count) * 7)
        var looked = 0
        for slot in 0..<count {
            // Of a record that is there, and of one that is not.
            for hash in [hash(slot), hash(slot + count)] {
                var probe = table.probe(hash)
                while let found = table.next(&probe), found != slot { looked += 1 }
            }
        }
        #expect(looked < Int(count) / 100)
        hashed = 0
        for slot in 0..<count {
            table.remove(slot, hash(slot)) {
                hashed += 1
                return hash($0)
            }
        }
        #expect(hashed < Int(count) * 10)
        #expect(table.byteCount < Int(count) * 2)
    }
}
