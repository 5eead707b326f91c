internal import AsofCore

/// Operations with the payload of their writes, which goes into the journal in pieces of up to 1 MiB as it comes.
struct PayloadStream {
    private static let pieceLength = 1 << 20

    private let journal: Journal
    private(set) var operations: [Operation] = []
    private var intents: [Journal.Intent] = []
    private var buffer: [UInt8] = []
    /// Bytes of payload.
    private(set) var length: UInt64 = 0

    init(_ journal: Journal) { self.journal = journal }

    var isEmpty: Bool { operations.isEmpty }

    mutating func write(_ number: InodeNumber, at offset: UInt64, _ bytes: ArraySlice<UInt8>) throws(AsofError) {
        var (offset, rest) = (offset, bytes)
        while !rest.isEmpty {
            if buffer.count == Self.pieceLength { try flush() }
            let part = rest.prefix(Self.pieceLength - buffer.count)
            buffer.append(contentsOf: part)
            operations.append(.write(number, offset: offset, length: part.count))
            offset += UInt64(part.count)
            length += UInt64(part.count)
            rest = rest.dropFirst(part.count)
        }
    }

    mutating func zero(_ number: InodeNumber, _ range: Range<UInt64>) {
        operations.append(.zero(number, offset: range.lowerBound, length: range.upperBound - range.lowerBound))
    }

    mutating func truncate(_ number: InodeNumber, to size: UInt64) { operations.append(.truncate(number, size: size)) }

    /// Everything so far, as the operations and intents of a transaction; begins anew.
    mutating func take() throws(AsofError) -> (operations: [Operation], intents: [Journal.Intent]) {
        try flush()
        defer {
            operations = []
            intents = []
            length = 0
        }
        return (operations, intents)
    }

    private mutating func flush() throws(AsofError) {
        guard !buffer.isEmpty else { return }
        // No inodes: what becomes of these bytes when we die is told by the files' attributes, which the log has as they were before.
        intents.append(
            try buffer.withUnsafeBufferPointer { buffer throws(AsofError) in try journal.begin([], payload: UnsafeRawBufferPointer(buffer)) })
        buffer.removeAll(keepingCapacity: true)
    }
}
