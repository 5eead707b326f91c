/// A file's bytes as a model keeps them: blocks that were written, zero elsewhere. Copies share what they have in common.
package struct SparseBytes: Sendable {
    package static let blockLength: UInt64 = 4096

    private var blocks: [UInt64: [UInt8]] = [:]

    package init() {}

    package mutating func write(_ bytes: [UInt8], at offset: UInt64) {
        var position = offset
        var done = 0
        while done < bytes.count {
            let within = Int(position % Self.blockLength)
            let count = min(bytes.count - done, Int(Self.blockLength) - within)
            blocks[position / Self.blockLength, default: Self.empty].replaceSubrange(
                within..<within + count, with: bytes[done..<done + count])
            position += UInt64(count)
            done += count
        }
    }

    package mutating func zero(_ range: Range<UInt64>) {
        for index in Array(blocks.keys) {
            let bounds = index * Self.blockLength..<(index + 1) * Self.blockLength
            let part = bounds.clamped(to: range)
            if part == bounds {
                blocks[index] = nil
            } else if !part.isEmpty {
                let lower = Int(part.lowerBound - bounds.lowerBound)
                let upper = Int(part.upperBound - bounds.lowerBound)
                blocks[index]?.replaceSubrange(lower..<upper, with: repeatElement(0, count: upper - lower))
            }
        }
    }

    package func bytes(in range: Range<UInt64>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(range.count)
        var position = range.lowerBound
        while position < range.upperBound {
            let within = Int(position % Self.blockLength)
            let count = min(Int(range.upperBound - position), Int(Self.blockLength) - within)
            result.append(contentsOf: (blocks[position / Self.blockLength] ?? Self.empty)[within..<within + count])
            position += UInt64(count)
        }
        return result
    }

    private static let empty = [UInt8](repeating: 0, count: Int(blockLength))
}
