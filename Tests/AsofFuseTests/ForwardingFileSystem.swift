import AsofCore
import AsofFileSystem
import AsofTestSupport
import Glibc

/// A read-only file system in memory that needs no handles.
final class StatelessMemory: ForwardingFileSystem, StatelessOpens, @unchecked Sendable {
    // Invariant behind @unchecked Sendable: no state of its own.
    override func read(
        _ node: NodeID, handle: FileHandle, offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        let handle = try base.open(node, flags: O_RDONLY, Request())
        defer { base.close(node, handle: handle) }
        return try base.read(node, handle: handle, offset: offset, into: buffer)
    }

    override func open(_ node: NodeID, flags: Int32, _ request: Request) throws(Errno) -> FileHandle { throw Errno(EIO) }
}

/// A read-only file system in memory of which some nodes change by themselves.
final class VolatileMemory: ForwardingFileSystem, VolatileNames, @unchecked Sendable {
    // Invariant behind @unchecked Sendable: `nodes` is set once.
    private let nodes: Set<NodeID>

    init(_ base: MemoryFileSystem, volatile nodes: Set<NodeID>) {
        self.nodes = nodes
        super.init(base)
    }

    func isVolatile(_ node: NodeID) -> Bool { nodes.contains(node) }
}

/// Hands what a read-only mount asks to another file system.
class ForwardingFileSystem: ReadOnlyFileSystem, @unchecked Sendable {
    // Invariant behind @unchecked Sendable: `base` is set once and takes care of itself.
    let base: MemoryFileSystem

    init(_ base: MemoryFileSystem) { self.base = base }

    func lookup(_ name: Name, in parent: NodeID, _ request: Request) throws(Errno) -> Node {
        try base.lookup(name, in: parent, request)
    }
    func forget(_ node: NodeID, count: UInt64) { base.forget(node, count: count) }
    func attributes(of node: NodeID, handle: FileHandle?) throws(Errno) -> Node { try base.attributes(of: node, handle: handle) }
    func readSymbolicLink(_ node: NodeID) throws(Errno) -> [UInt8] { try base.readSymbolicLink(node) }
    func open(_ node: NodeID, flags: Int32, _ request: Request) throws(Errno) -> FileHandle {
        try base.open(node, flags: flags, request)
    }
    func read(
        _ node: NodeID, handle: FileHandle, offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        try base.read(node, handle: handle, offset: offset, into: buffer)
    }
    func close(_ node: NodeID, handle: FileHandle) { base.close(node, handle: handle) }
    func openDirectory(_ node: NodeID, _ request: Request) throws(Errno) -> FileHandle { try base.openDirectory(node, request) }
    func list(_ node: NodeID, handle: FileHandle, after cookie: UInt64, add: (DirectoryEntry) -> Bool) throws(Errno) {
        try base.list(node, handle: handle, after: cookie, add: add)
    }
    func closeDirectory(_ node: NodeID, handle: FileHandle) { base.closeDirectory(node, handle: handle) }
    func extendedAttribute(_ name: Name, of node: NodeID) throws(Errno) -> [UInt8] {
        try base.extendedAttribute(name, of: node)
    }
    func extendedAttributeNames(of node: NodeID) throws(Errno) -> [Name] { try base.extendedAttributeNames(of: node) }
    func statistics() throws(Errno) -> FileSystemStatistics { try base.statistics() }
}
