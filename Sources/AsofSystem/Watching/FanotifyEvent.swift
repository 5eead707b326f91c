/// One event of a fanotify group that reports identities, checked: ranges into the buffer it was decoded from.
///
/// ```
/// metadata, 24 bytes:  length 4 | version 1 | - 1 | metadata length 2 | mask 8 | descriptor 4 | process 4
/// records behind it:   kind 1 | - 1 | length 2 | fsid 8 | handle length 4 | handle type 4 | handle | name NUL (padded)
///                                                         `------- a StableHandle -------´
/// ```
package struct FanotifyEvent: Hashable, Sendable {
    /// A name in a directory.
    package struct Entry: Hashable, Sendable {
        /// The bytes of the directory's StableHandle.
        package var directory: Range<Int>
        /// Empty: the directory itself (the kernel says "." or leaves the name away).
        package var name: Range<Int>
    }

    package var mask: UInt64
    package var entry: Entry?
    /// Where a renamed thing was and is.
    package var oldEntry: Entry?
    package var newEntry: Entry?
    /// The bytes of the StableHandle of what it happened to.
    package var object: Range<Int>?

    /// Calls `visit` for every whole event of `bytes`. False where the rest is no event: events may be missing then.
    package static func decode(_ bytes: UnsafeRawBufferPointer, _ visit: (FanotifyEvent) -> Void) -> Bool {
        let metadata = 24
        var position = 0
        while position < bytes.count {
            guard let length = bytes.integer(UInt32.self, at: position).map(Int.init),
                let version = bytes.integer(UInt8.self, at: position + 4), version == 3,
                let start = bytes.integer(UInt16.self, at: position + 6).map(Int.init),
                let mask = bytes.integer(UInt64.self, at: position + 8),
                start >= metadata, length >= start, length <= bytes.count - position
            else { return false }
            var event = FanotifyEvent(mask: mask)
            guard event.addRecords(bytes, from: position + start, to: position + length) else { return false }
            visit(event)
            position += length
        }
        return true
    }

    private mutating func addRecords(_ bytes: UnsafeRawBufferPointer, from start: Int, to end: Int) -> Bool {
        var position = start
        while position < end {
            guard let kind = bytes.integer(UInt8.self, at: position),
                let length = bytes.integer(UInt16.self, at: position + 2).map(Int.init),
                length >= 4, length <= end - position
            else { return false }
            switch kind {
            case 1, 2, 3, 10, 12:
                guard add(kind, bytes, from: position, to: position + length) else { return false }
            // A process, a failure of the file system, or something that newer kernels say.
            default: break
            }
            position += length
        }
        return true
    }

    private mutating func add(_ kind: UInt8, _ bytes: UnsafeRawBufferPointer, from start: Int, to end: Int) -> Bool {
        // MAX_HANDLE_SZ is 128.
        guard let count = bytes.integer(UInt32.self, at: start + 12).map(Int.init), count <= 128, start + 20 + count <= end
        else { return false }
        let handle = (start + 16)..<(start + 20 + count)
        var name = bytes.text(from: handle.upperBound, to: kind == 1 || kind == 3 ? handle.upperBound : end)
        if name.count == 1, bytes[name.lowerBound] == 0x2E { name = name.lowerBound..<name.lowerBound }
        switch kind {
        case 1: object = handle
        case 10: oldEntry = Entry(directory: handle, name: name)
        case 12: newEntry = Entry(directory: handle, name: name)
        default: entry = Entry(directory: handle, name: name)
        }
        return true
    }
}

/// Bits of fanotify, under their C names.
extension FanotifyEvent {
    package static let FAN_MODIFY: UInt64 = 0x2
    package static let FAN_ATTRIB: UInt64 = 0x4
    package static let FAN_MOVED_FROM: UInt64 = 0x40
    package static let FAN_MOVED_TO: UInt64 = 0x80
    package static let FAN_CREATE: UInt64 = 0x100
    package static let FAN_DELETE: UInt64 = 0x200
    package static let FAN_DELETE_SELF: UInt64 = 0x400
    package static let FAN_MOVE_SELF: UInt64 = 0x800
    package static let FAN_Q_OVERFLOW: UInt64 = 0x4000
    package static let FAN_EVENT_ON_CHILD: UInt64 = 0x0800_0000
    package static let FAN_RENAME: UInt64 = 0x1000_0000
    package static let FAN_ONDIR: UInt64 = 0x4000_0000

    /// What a file's identity is noted for: everything but names, which their directories tell of.
    static let concernsObject = FAN_MODIFY | FAN_ATTRIB | FAN_DELETE_SELF | FAN_MOVE_SELF
    /// What happens to a name in a directory: an event of these without a directory has lost it.
    static let concernsName = FAN_CREATE | FAN_DELETE | FAN_RENAME | FAN_MOVED_FROM | FAN_MOVED_TO
    /// Not FAN_CLOSE_WRITE: whatever was written before the close was a FAN_MODIFY already.
    static let always = concernsObject | FAN_CREATE | FAN_DELETE | FAN_ONDIR
}
