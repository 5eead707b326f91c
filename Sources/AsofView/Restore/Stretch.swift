internal import AsofRepository

/// One request to the store: neighbouring frames of one object, and the pieces of a batch that are in them.
struct Stretch: Sendable {
    var object: UInt32
    /// Places in the object.
    var range: Range<UInt64>
    /// Indices in the batch's sorted pieces.
    var pieces: Range<Int>

    /// What lies between two frames and is not needed is read all the same up to here: a request costs more.
    private static let bridged: UInt64 = 64 << 10

    /// Sorts the pieces as they are stored, and cuts them into requests. Every frame is in one of them only.
    static func cut(_ pieces: inout [RestoreBatch.Piece]) -> [Stretch] {
        pieces.sort {
            ($0.object, $0.frameOffset, $0.frameLength, $0.skip, $0.file) < ($1.object, $1.frameOffset, $1.frameLength, $1.skip, $1.file)
        }
        var result: [Stretch] = []
        for (index, piece) in pieces.enumerated() {
            let frame = piece.frameRange
            if let last = result.last, last.object == piece.object, frame.lowerBound <= last.range.upperBound &+ bridged,
                max(frame.upperBound, last.range.upperBound) - last.range.lowerBound <= UInt64(StretchReader.longest)
            {
                let end = max(frame.upperBound, last.range.upperBound)
                result[result.count - 1].range = last.range.lowerBound..<end
                result[result.count - 1].pieces = last.pieces.lowerBound..<index + 1
            } else {
                result.append(Stretch(object: piece.object, range: frame, pieces: index..<index + 1))
            }
        }
        return result
    }
}
