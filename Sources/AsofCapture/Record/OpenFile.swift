internal import AsofCore
internal import AsofFileSystem
internal import AsofSystem
internal import Glibc

/// A file that a client has open. The kernel carries the handle, so it is the object's address, retained until the last close.
final class OpenFile: Sendable {
    let node: RecordedNode
    let descriptor: SharedDescriptor

    init(node: RecordedNode, descriptor: SharedDescriptor) {
        self.node = node
        self.descriptor = descriptor
    }

    var raw: Int32 { descriptor.unmanaged }

    /// To be taken once: adds the reference that `close` gives back.
    var handle: FileHandle { FileHandle(UInt(bitPattern: Unmanaged.passRetained(self).toOpaque())) }

    /// Handles come back from the kernel as they were given, so a valid one always names a live object.
    static func with(_ handle: FileHandle) throws(Errno) -> OpenFile {
        guard let pointer = UnsafeRawPointer(bitPattern: UInt(handle)) else { throw Errno(EBADF) }
        return Unmanaged<OpenFile>.fromOpaque(pointer).takeUnretainedValue()
    }

    static func close(_ handle: FileHandle) {
        guard let pointer = UnsafeRawPointer(bitPattern: UInt(handle)) else { return }
        Unmanaged<OpenFile>.fromOpaque(pointer).release()
    }

    /// What of the client's flags concerns the backing file: where appends go the kernel has decided already, and what it caches, too.
    /// No O_NOFOLLOW: the file is opened again through /proc, whose entries are links.
    static func backingFlags(_ flags: Int32) -> Int32 { flags & ~(O_APPEND | O_CREAT | O_EXCL | O_TRUNC | O_NOFOLLOW | SystemCall.O_DIRECT | SystemCall.O_NOATIME | O_SYNC | O_DSYNC) }
}

/// A directory that a client has open.
final class OpenDirectory: Sendable {
    let node: RecordedNode
    let descriptor: SharedDescriptor
    let reader: Lock<DirectoryReader>

    init(node: RecordedNode) throws(Errno) {
        self.node = node
        let opened = SharedDescriptor(try SystemCall.reopen(node.raw, O_RDONLY | O_DIRECTORY))
        descriptor = opened
        reader = Lock(DirectoryReader(opened, includesDots: true))
    }

    var handle: FileHandle { FileHandle(UInt(bitPattern: Unmanaged.passRetained(self).toOpaque())) }

    static func with(_ handle: FileHandle) throws(Errno) -> OpenDirectory {
        guard let pointer = UnsafeRawPointer(bitPattern: UInt(handle)) else { throw Errno(EBADF) }
        return Unmanaged<OpenDirectory>.fromOpaque(pointer).takeUnretainedValue()
    }

    static func close(_ handle: FileHandle) {
        guard let pointer = UnsafeRawPointer(bitPattern: UInt(handle)) else { return }
        Unmanaged<OpenDirectory>.fromOpaque(pointer).release()
    }
}
