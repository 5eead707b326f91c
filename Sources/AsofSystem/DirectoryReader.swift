package import AsofCore
internal import CLinux
internal import Glibc

/// The entries of an open directory in the kernel's order, 32 KiB of them at a time. For one thread.
package final class DirectoryReader {
    package struct Entry: Hashable, Sendable {
        package var name: Name
        package var inode: UInt64
        /// Nil where the file system does not say (`DT_UNKNOWN`): ask `SystemCall.status`.
        package var kind: FileKind?
        /// Where to `seek` so that `next` gives the entry after this one.
        package var cookie: Int64
    }

    private let descriptor: SharedDescriptor
    private let includesDots: Bool
    private var buffer = [UInt8](repeating: 0, count: 32 << 10)
    private var filled = 0
    private var position = 0

    /// Reads `descriptor` from where it stands; the reader moves its position. `.` and `..` are left out unless asked for.
    package init(_ descriptor: SharedDescriptor, includesDots: Bool = false) {
        self.descriptor = descriptor
        self.includesDots = includesDots
    }

    /// Opens the directory at `path`, or `name` in `directory`.
    package convenience init(at directory: Int32 = AT_FDCWD, _ path: some PathBytes) throws(Errno) {
        self.init(SharedDescriptor(try SystemCall.open(at: directory, path, O_RDONLY | O_DIRECTORY)))
    }

    /// The next entry; nil after the last.
    package func next() throws(Errno) -> Entry? {
        while true {
            if position >= filled {
                filled = try descriptor.withRaw { (raw) throws(Errno) in
                    try buffer.withUnsafeMutableBufferPointer { (space) throws(Errno) in
                        try SystemCall.checked { asof_getdents64(raw, space.baseAddress, space.count) }
                    }
                }
                position = 0
                if filled == 0 { return nil }
            }
            if let entry = try decode() { return entry }
        }
    }

    /// Goes on after the entry that gave `cookie`; 0: from the start.
    package func seek(_ cookie: Int64) throws(Errno) {
        filled = 0
        position = 0
        _ = try descriptor.withRaw { (raw) throws(Errno) in
            try SystemCall.checked { lseek(raw, off_t(cookie), SEEK_SET) }
        }
    }

    /// One record of `linux_dirent64`: inode (8), offset (8), length (2), type (1), name up to a NUL. Nil for what is left out.
    private func decode() throws(Errno) -> Entry? {
        let header = 19
        guard filled - position > header else { throw Errno(EIO) }
        func integer(_ offset: Int, _ count: Int) -> UInt64 {
            (0..<count).reduce(0) { $0 | UInt64(buffer[position + offset + $1]) << UInt64(8 * $1) }
        }
        let length = Int(integer(16, 2))
        guard length > header, length <= filled - position else { throw Errno(EIO) }
        let name = buffer[(position + header)..<(position + length)].prefix { $0 != 0 }
        defer { position += length }
        if !includesDots, name.elementsEqual([0x2E]) || name.elementsEqual([0x2E, 0x2E]) { return nil }
        return Entry(
            name: Name(unchecked: Array(name)), inode: integer(0, 8),
            // DT_* are the type bits of st_mode, shifted.
            kind: FileKind(mode: UInt32(integer(18, 1)) << 12), cookie: Int64(bitPattern: integer(8, 8)))
    }
}
