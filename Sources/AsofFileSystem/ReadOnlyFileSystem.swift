package import AsofCore
private import Glibc

/// A file system that nothing changes: every changing call is EROFS.
package protocol ReadOnlyFileSystem: AsofFileSystem {}

extension ReadOnlyFileSystem {
    package var isReadOnly: Bool { true }

    package func setAttributes(
        _ changes: AttributeChanges, of node: NodeID, handle: FileHandle?, _ request: Request
    ) throws(Errno) -> Node { throw Errno(EROFS) }
    package func makeNode(
        _ name: Name, in parent: NodeID, mode: UInt32, device: UInt64, _ request: Request
    ) throws(Errno) -> Node { throw Errno(EROFS) }
    package func makeDirectory(_ name: Name, in parent: NodeID, mode: UInt32, _ request: Request) throws(Errno) -> Node {
        throw Errno(EROFS)
    }
    package func makeSymbolicLink(_ name: Name, in parent: NodeID, target: [UInt8], _ request: Request) throws(Errno) -> Node {
        throw Errno(EROFS)
    }
    package func link(_ node: NodeID, as name: Name, in parent: NodeID, _ request: Request) throws(Errno) -> Node {
        throw Errno(EROFS)
    }
    package func unlink(_ name: Name, in parent: NodeID, _ request: Request) throws(Errno) { throw Errno(EROFS) }
    package func removeDirectory(_ name: Name, in parent: NodeID, _ request: Request) throws(Errno) { throw Errno(EROFS) }
    package func rename(
        _ name: Name, in parent: NodeID, to newName: Name, in newParent: NodeID, flags: UInt32, _ request: Request
    ) throws(Errno) { throw Errno(EROFS) }
    package func create(
        _ name: Name, in parent: NodeID, mode: UInt32, flags: Int32, _ request: Request
    ) throws(Errno) -> (Node, FileHandle) { throw Errno(EROFS) }
    package func write(
        _ node: NodeID, handle: FileHandle, offset: UInt64, bytes: UnsafeRawBufferPointer, _ request: Request
    ) throws(Errno) -> Int { throw Errno(EROFS) }
    package func flush(_ node: NodeID, handle: FileHandle) throws(Errno) {}
    package func synchronize(_ node: NodeID, handle: FileHandle, dataOnly: Bool) throws(Errno) {}
    package func synchronizeDirectory(_ node: NodeID, handle: FileHandle, dataOnly: Bool) throws(Errno) {}
    package func allocate(
        _ node: NodeID, handle: FileHandle, mode: Int32, offset: UInt64, length: UInt64, _ request: Request
    ) throws(Errno) { throw Errno(EROFS) }
    package func setExtendedAttribute(
        _ name: Name, of node: NodeID, value: [UInt8], flags: Int32, _ request: Request
    ) throws(Errno) { throw Errno(EROFS) }
    package func removeExtendedAttribute(_ name: Name, of node: NodeID, _ request: Request) throws(Errno) { throw Errno(EROFS) }
}
