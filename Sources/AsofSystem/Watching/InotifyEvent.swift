/// `struct inotify_event`, checked: ranges into the buffer it was decoded from.
package struct InotifyEvent: Hashable, Sendable {
    /// -1 for the event that says that others were lost.
    package var watch: Int32
    package var mask: UInt32
    /// Without the NULs behind it; empty when the event is of the directory itself.
    package var name: Range<Int>
    /// All of it: equal bytes say the same thing again.
    package var whole: Range<Int>

    /// Calls `visit` for every whole event of `bytes`. False where the rest is no event: events may be missing then.
    package static func decode(_ bytes: UnsafeRawBufferPointer, _ visit: (InotifyEvent) -> Void) -> Bool {
        var position = 0
        while position < bytes.count {
            // Watch (4), mask (4), cookie (4), length of the name with its padding (4).
            let header = 16
            guard let watch = bytes.integer(Int32.self, at: position),
                let mask = bytes.integer(UInt32.self, at: position + 4),
                let length = bytes.integer(UInt32.self, at: position + 12),
                Int(length) <= bytes.count - position - header
            else { return false }
            let end = position + header + Int(length)
            visit(InotifyEvent(
                watch: watch, mask: mask, name: bytes.text(from: position + header, to: end), whole: position..<end))
            position = end
        }
        return true
    }
}

/// Bits of inotify, under their C names.
extension InotifyEvent {
    package static let IN_MODIFY: UInt32 = 0x2
    package static let IN_ATTRIB: UInt32 = 0x4
    package static let IN_MOVED_FROM: UInt32 = 0x40
    package static let IN_MOVED_TO: UInt32 = 0x80
    package static let IN_CREATE: UInt32 = 0x100
    package static let IN_DELETE: UInt32 = 0x200
    package static let IN_DELETE_SELF: UInt32 = 0x400
    package static let IN_MOVE_SELF: UInt32 = 0x800
    package static let IN_UNMOUNT: UInt32 = 0x2000
    package static let IN_Q_OVERFLOW: UInt32 = 0x4000
    package static let IN_IGNORED: UInt32 = 0x8000
    /// What happens to a name in a directory.
    static let concernsName = IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE
    package static let IN_ONLYDIR: UInt32 = 0x0100_0000

    /// What is asked of every directory. Not `IN_EXCL_UNLINK`: a write to a file whose name is gone then shows as that name, and
    /// a reader that holds the file open wants to know.
    static let asked =
        IN_MODIFY | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR
}
