internal import AsofCore

/// Reading numbers out of what the kernel put into a buffer, without believing any length in it.
extension UnsafeRawBufferPointer {
    /// The integer at `offset`, in this machine's byte order and at any alignment; nil unless all of it is there.
    func integer<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type, at offset: Int) -> T? {
        guard offset >= 0, offset <= count - MemoryLayout<T>.size else { return nil }
        return loadUnaligned(fromByteOffset: offset, as: T.self)
    }

    /// The range from `start` to before the first NUL; to `end` where there is none.
    func text(from start: Int, to end: Int) -> Range<Int> {
        var stop = start
        while stop < end, self[stop] != 0 { stop += 1 }
        return start..<stop
    }
}

extension Name {
    /// The name in `range` of an event; nil where it cannot be one. `Name.init(_:)` checks the same, but as a generic of another
    /// target, which costs ten times as much.
    init?(event bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        guard (1...255).contains(range.count), range.lowerBound >= 0, range.upperBound <= bytes.count else { return nil }
        let text = UnsafeRawBufferPointer(rebasing: bytes[range])
        for byte in text where byte == 0x2F || byte == 0 { return nil }
        if text[0] == 0x2E, text.count == 1 || text.count == 2 && text[1] == 0x2E { return nil }
        self.init(unchecked: Array(text))
    }
}

extension StableHandle {
    init(event bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        self.init(bytes: Array(UnsafeRawBufferPointer(rebasing: bytes[range])))
    }
}

/// Memory that events are read into; for whoever holds the lock beside it.
final class EventBuffer {
    let bytes: UnsafeMutableRawBufferPointer

    init(byteCount: Int) { bytes = .allocate(byteCount: byteCount, alignment: 16) }
    deinit { bytes.deallocate() }
}
