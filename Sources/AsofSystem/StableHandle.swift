package import AsofCore
internal import CLinux
internal import Glibc

/// What a file system calls a file, its inode's generation included: unlike an inode number it is never given to another file, and unlike a
/// path it survives renames (`name_to_handle_at(2)`). Not every file system has them, and opening one takes CAP_DAC_READ_SEARCH.
package struct StableHandle: Hashable, Sendable {
    /// The handle's type, then what the file system made of it.
    package let bytes: [UInt8]

    package init(bytes: [UInt8]) { self.bytes = bytes }

    /// The handle of an open file (`O_PATH` suffices). Throws EOPNOTSUPP where the file system has none.
    package init(of descriptor: Int32) throws(Errno) {
        var buffer = [UInt8](repeating: 0, count: Int(ASOF_HANDLE_MAX))
        let count = try SystemCall.checked { asof_handle_of(descriptor, &buffer, UInt32(ASOF_HANDLE_MAX)) }
        bytes = Array(buffer.prefix(Int(count)))
    }

    /// Opens the file; `anchor` is any open file of the same file system. Throws ESTALE where it is gone.
    package func open(_ anchor: Int32, _ flags: Int32) throws(Errno) -> OwnedDescriptor {
        OwnedDescriptor(taking: try SystemCall.checked { asof_open_handle(anchor, bytes, UInt32(bytes.count), flags | O_CLOEXEC) })
    }
}
