/// Where the bytes of a range of a file are: `length` bytes from `start` are in one frame of one object, or are zero.
package struct Extent: Hashable, Sendable {
    /// First byte, as an offset in the file.
    package var start: UInt64
    /// Bytes; never zero, and never beyond the chunk that holds `start`.
    package var length: UInt64
    /// Index in the object table of the run that the extent stands in; `zeroObject`: no object, the range reads as zero.
    package var object: UInt32
    /// Where the frame begins in the object.
    package var frameOffset: UInt64
    /// Bytes of the frame as stored, header included: one ranged read fetches it.
    package var frameLength: UInt32
    /// Where the extent's first byte is in the decoded frame.
    package var skip: UInt32

    package static let zeroObject = UInt32.max

    package init(start: UInt64, length: UInt64, object: UInt32, frameOffset: UInt64, frameLength: UInt32, skip: UInt32) {
        self.start = start
        self.length = length
        self.object = object
        self.frameOffset = frameOffset
        self.frameLength = frameLength
        self.skip = skip
    }

    package static func zero(start: UInt64, length: UInt64) -> Extent {
        Extent(start: start, length: length, object: zeroObject, frameOffset: 0, frameLength: 0, skip: 0)
    }

    package var end: UInt64 { start &+ length }
    package var isZero: Bool { object == Self.zeroObject }

    /// The part within `range`, which must overlap the extent.
    package func clipped(to range: Range<UInt64>) -> Extent {
        var part = self
        part.start = max(start, range.lowerBound)
        part.length = min(end, range.upperBound) &- part.start
        if !isZero { part.skip &+= UInt32(truncatingIfNeeded: part.start &- start) }
        return part
    }

    /// True when `next` goes on where this extent ends, in the file and in the same frame.
    func isContinued(by next: Extent) -> Bool {
        guard end == next.start, object == next.object else { return false }
        if isZero { return true }
        return frameOffset == next.frameOffset && UInt64(skip) &+ length == UInt64(next.skip)
    }
}

/// Files are indexed in pieces of 4 MiB: one index entry says where all of a chunk's bytes are.
package enum Chunk {
    package static let length: UInt64 = 4 << 20

    package static func index(of offset: UInt64) -> UInt64 { offset / length }
    package static func range(_ index: UInt64) -> Range<UInt64> {
        let (start, overflow) = index.multipliedReportingOverflow(by: length)
        guard !overflow, start <= .max - length else { return UInt64.max..<UInt64.max }
        return start..<start + length
    }
}
