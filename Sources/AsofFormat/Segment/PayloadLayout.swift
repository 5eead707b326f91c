package import AsofCore

/// Where each write's bytes lie in a group's payload: sorted by inode, then offset, then order. Derived, so never stored.
package struct PayloadLayout {
    /// One write of the group.
    package struct Piece {
        /// Index of the transaction in the group, and of the operation in the transaction.
        package var transaction: Int
        package var operation: Int
        package var inode: InodeNumber
        package var offset: UInt64
        package var length: Int
        /// First byte in the sorted payload.
        package var position: Int
    }

    /// In the order of the payload.
    package private(set) var pieces: [Piece] = []
    /// Bytes of payload in the group.
    package private(set) var length = 0

    package init(_ transactions: [Transaction]) throws(FormatError) {
        for (index, transaction) in transactions.enumerated() {
            for (number, operation) in transaction.operations.enumerated() {
                guard case .write(let inode, let offset, let count) = operation, count > 0 else { continue }
                pieces.append(
                    Piece(transaction: index, operation: number, inode: inode, offset: offset, length: count, position: 0))
            }
        }
        pieces.sort { left, right in
            (left.inode.rawValue, left.offset, left.transaction, left.operation)
                < (right.inode.rawValue, right.offset, right.transaction, right.operation)
        }
        for index in pieces.indices {
            pieces[index].position = length
            let (sum, overflow) = length.addingReportingOverflow(pieces[index].length)
            guard !overflow else { throw FormatError("a group's payload overflows") }
            length = sum
        }
    }

    /// The extents of one piece, split at frames and chunks. `frames`: offset and stored length of each of the group's frames in the
    /// object; `object`: its index in the object table.
    package func extents(of piece: Piece, frames: [(offset: UInt64, length: UInt32)], object: UInt32) -> [Extent] {
        var result: [Extent] = []
        var position = piece.position
        var offset = piece.offset
        var rest = piece.length
        while rest > 0 {
            let index = position / FrameBounds.payloadMax
            guard index < frames.count else { return result }
            let skip = position % FrameBounds.payloadMax
            let toChunkEnd = Chunk.length - offset % Chunk.length
            let count = min(rest, FrameBounds.payloadMax - skip, Int(toChunkEnd))
            result.append(
                Extent(
                    start: offset, length: UInt64(count), object: object, frameOffset: frames[index].offset,
                    frameLength: frames[index].length, skip: UInt32(skip)))
            position += count
            offset &+= UInt64(count)
            rest -= count
        }
        return result
    }
}
