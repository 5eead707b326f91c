internal import AsofFormat

/// Changes valid bytes as damage and malice would: bits, bytes, numbers, lengths, pieces of other bytes.
package struct Mutator {
    package var random: SplitMix64

    package init(seed: UInt64) { random = SplitMix64(seed: seed) }

    /// One to four changes. `spare`: bytes of another valid example, to splice in.
    package mutating func mutated(_ bytes: [UInt8], spare: [UInt8]) -> [UInt8] {
        var result = bytes
        for _ in 0...(random.chance(70) ? 0 : random.below(4)) { change(&result, spare) }
        return result
    }

    private mutating func change(_ bytes: inout [UInt8], _ spare: [UInt8]) {
        guard !bytes.isEmpty else { return bytes = random.bytes(random.below(20)) }
        let position = random.below(bytes.count)
        switch random.below(16) {
        case 0..<4: bytes[position] ^= 1 << UInt8(random.below(8))
        case 4: bytes[position] = random.pick([0, 1, 0x7F, 0x80, 0xFE, 0xFF]) ?? 0
        case 5: bytes[position] = UInt8(truncatingIfNeeded: random.next())
        case 6: bytes.removeLast(min(bytes.count, 1 + random.below(random.chance(50) ? 4 : bytes.count)))
        case 7: bytes.insert(contentsOf: random.bytes(1 + random.below(12)), at: position)
        case 8: bytes.removeSubrange(position..<min(bytes.count, position + 1 + random.below(12)))
        case 9:
            let end = min(bytes.count, position + 1 + random.below(40))
            bytes.insert(contentsOf: bytes[position..<end], at: random.below(bytes.count))
        case 10:
            let start = random.below(spare.count)
            let piece = spare.isEmpty ? [] : spare[start..<min(spare.count, start + 1 + random.below(60))]
            bytes.replaceSubrange(position..<min(bytes.count, position + random.below(60)), with: piece)
        case 11: bytes.append(contentsOf: random.bytes(1 + random.below(8)))
        default: editNumber(&bytes, at: position)
        }
    }

    /// Takes the bytes at `position` for a varint, and puts another there.
    private mutating func editNumber(_ bytes: inout [UInt8], at position: Int) {
        guard var reader = try? ByteReader(bytes, in: position..<bytes.count), let value = try? reader.varint() else { return }
        let edits: [UInt64] = [
            0, 1, value &+ 1, value &- 1, value &* 2, value / 2, value &+ 1 << 32, .max, .max - 1, 1 << 63, 1 << 63 - 1, 1 << 32,
            1 << 32 - 1, 1 << 31, 4 << 20, 256 << 10, random.next(), ~value,
        ]
        var writer = ByteWriter()
        writer.varint(random.pick(edits) ?? 0)
        bytes.replaceSubrange(position..<reader.position, with: writer.bytes)
    }
}
