/// The bytes of an open group's transactions, one after the other: copied, or, of a large transaction, left where its caller keeps them.
struct GroupPayload {
    private enum Source {
        /// Begins at this place in `copied`.
        case copied(Int)
        /// These, one after the other.
        case kept([UnsafeRawBufferPointer])
    }

    private var copied: [UInt8] = []
    private var sources: [Source] = []
    /// Bytes of all transactions.
    private(set) var count = 0

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        sources.append(.copied(copied.count))
        copied.append(contentsOf: bytes)
        count += bytes.count
    }

    mutating func append(kept parts: [UnsafeRawBufferPointer]) {
        sources.append(.kept(parts))
        count += parts.reduce(0) { $0 + $1.count }
    }

    mutating func removeAll() {
        copied.removeAll(keepingCapacity: true)
        sources.removeAll(keepingCapacity: true)
        count = 0
    }

    /// Appends `range` of the payload of transaction number `index` to `bytes`.
    func copy(_ range: Range<Int>, of index: Int, to bytes: inout [UInt8]) {
        switch sources[index] {
        case .copied(let start): bytes.append(contentsOf: copied[start + range.lowerBound..<start + range.upperBound])
        case .kept(let parts):
            var start = 0
            for part in parts {
                let (lower, upper) = (max(range.lowerBound - start, 0), min(range.upperBound - start, part.count))
                if lower < upper { bytes.append(contentsOf: part[lower..<upper]) }
                start += part.count
                if start >= range.upperBound { return }
            }
        }
    }
}
