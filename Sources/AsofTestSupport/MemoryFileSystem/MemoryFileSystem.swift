package import AsofCore
package import AsofFileSystem
internal import AsofSystem
internal import Glibc

/// A complete file system in memory behind one lock: a test double to serve in the place of a view, an overlay or a recording.
///
/// It counts calls, so that a test can say what a kernel asked, and knows which nodes nobody refers to any more.
package final class MemoryFileSystem: AsofFileSystem {
    package let isReadOnly: Bool
    /// Everything mutable; one lock, since a double need not be fast.
    private let state: Lock<MemoryState>

    /// `isReadOnly` only says so: fill it first through a second, writable face (`readOnlyFace`).
    package init() {
        isReadOnly = false
        state = Lock(MemoryState())
    }

    private init(readOnly state: Lock<MemoryState>) {
        isReadOnly = true
        self.state = state
    }

    /// The same files, for a read-only mount.
    package var readOnlyFace: MemoryFileSystem { MemoryFileSystem(readOnly: state) }

    /// What can be asked of a file system, for counting.
    package enum Call: Hashable, Sendable {
        case lookup, forget, attributes, setAttributes, readLink, make, unlink, rename, create, open, read, write, flush, synchronize
        case allocate, close, openDirectory, list, synchronizeDirectory, closeDirectory, getExtended, listExtended, setExtended
        case removeExtended, statistics
    }

    /// How often the kernel asked this, so far.
    package func count(of call: Call) -> Int { state.withLock { $0.counts[call] ?? 0 } }

    /// Changes for which the kernel asked that set-user-id bits be cleared.
    package var privilegeClearings: Int { state.withLock { $0.privilegeClearings } }

    /// Nodes that exist: reachable by a name, or by a look-up count or an open handle. The root is one.
    package var nodeCount: Int { state.withLock { $0.nodes.count } }
    package var openHandles: Int { state.withLock { $0.handles.count } }
    /// Look-up counts that the kernel still holds, without the root's.
    package var references: UInt64 { state.withLock { $0.nodes.values.reduce(0) { $0 &+ $1.lookups } } }

    private func counted<R>(_ call: Call, _ body: (inout MemoryState) throws(Errno) -> R) throws(Errno) -> R {
        try state.withLock { (state) throws(Errno) in
            state.counts[call, default: 0] += 1
            return try body(&state)
        }
    }

    private func changing<R>(
        _ call: Call, _ request: Request, _ body: (inout MemoryState) throws(Errno) -> R
    ) throws(Errno) -> R {
        try counted(call) { (state) throws(Errno) in
            if request.clearsPrivileges { state.privilegeClearings += 1 }
            return try body(&state)
        }
    }

    // MARK: Names

    package func lookup(_ name: Name, in parent: NodeID, _ request: Request) throws(Errno) -> Node {
        try counted(.lookup) { (state) throws(Errno) in
            guard let id = try state.directory(parent).directory.id(of: name) else { throw Errno(ENOENT) }
            return try state.referenced(id)
        }
    }

    package func forget(_ node: NodeID, count: UInt64) {
        state.withLock { state in
            state.counts[.forget, default: 0] += 1
            guard let found = state.nodes[node] else { return }
            found.lookups = found.lookups > count ? found.lookups - count : 0
            state.dropIfUnused(found)
        }
    }

    package func makeNode(
        _ name: Name, in parent: NodeID, mode: UInt32, device: UInt64, _ request: Request
    ) throws(Errno) -> Node {
        try changing(.make, request) { (state) throws(Errno) in
            let node = try state.make(name, in: parent, mode: mode, request)
            node.device = device
            return try state.referenced(node.id)
        }
    }

    package func makeDirectory(_ name: Name, in parent: NodeID, mode: UInt32, _ request: Request) throws(Errno) -> Node {
        try changing(.make, request) { (state) throws(Errno) in
            let node = try state.make(name, in: parent, mode: mode & 0o7777 | 0o040000, request)
            return try state.referenced(node.id)
        }
    }

    package func makeSymbolicLink(
        _ name: Name, in parent: NodeID, target: [UInt8], _ request: Request
    ) throws(Errno) -> Node {
        try changing(.make, request) { (state) throws(Errno) in
            let node = try state.make(name, in: parent, mode: 0o120777, request)
            node.content = target
            return try state.referenced(node.id)
        }
    }

    package func readSymbolicLink(_ node: NodeID) throws(Errno) -> [UInt8] {
        try counted(.readLink) { (state) throws(Errno) in
            let found = try state.node(node)
            guard found.kind == .symbolicLink else { throw Errno(EINVAL) }
            return found.content
        }
    }

    package func link(_ node: NodeID, as name: Name, in parent: NodeID, _ request: Request) throws(Errno) -> Node {
        try changing(.make, request) { (state) throws(Errno) in
            let found = try state.node(node)
            if found.kind == .directory { throw Errno(EPERM) }
            try state.add(name, in: parent, found)
            found.changed = now()
            return try state.referenced(node)
        }
    }

    package func unlink(_ name: Name, in parent: NodeID, _ request: Request) throws(Errno) {
        try changing(.unlink, request) { (state) throws(Errno) in try state.remove(name, in: parent, isDirectory: false) }
    }

    package func removeDirectory(_ name: Name, in parent: NodeID, _ request: Request) throws(Errno) {
        try changing(.unlink, request) { (state) throws(Errno) in try state.remove(name, in: parent, isDirectory: true) }
    }

    package func rename(
        _ name: Name, in parent: NodeID, to newName: Name, in newParent: NodeID, flags: UInt32, _ request: Request
    ) throws(Errno) {
        try changing(.rename, request) { (state) throws(Errno) in
            try state.rename(name, in: parent, to: newName, in: newParent, flags: flags)
        }
    }

    // MARK: Attributes

    package func attributes(of node: NodeID, handle: FileHandle?) throws(Errno) -> Node {
        try counted(.attributes) { (state) throws(Errno) in try state.node(node).description }
    }

    package func setAttributes(
        _ changes: AttributeChanges, of node: NodeID, handle: FileHandle?, _ request: Request
    ) throws(Errno) -> Node {
        try changing(.setAttributes, request) { (state) throws(Errno) in
            let found = try state.node(node)
            try found.apply(changes, hasHandle: handle != nil, request)
            return found.description
        }
    }

    package func extendedAttribute(_ name: Name, of node: NodeID) throws(Errno) -> [UInt8] {
        try counted(.getExtended) { (state) throws(Errno) in
            guard let value = try state.node(node).extended[name] else { throw Errno(ENODATA) }
            return value
        }
    }

    package func extendedAttributeNames(of node: NodeID) throws(Errno) -> [Name] {
        try counted(.listExtended) { (state) throws(Errno) in try state.node(node).extended.keys.sorted() }
    }

    package func setExtendedAttribute(
        _ name: Name, of node: NodeID, value: [UInt8], flags: Int32, _ request: Request
    ) throws(Errno) {
        try changing(.setExtended, request) { (state) throws(Errno) in
            let found = try state.node(node)
            let exists = found.extended[name] != nil
            if flags & 1 != 0, exists { throw Errno(EEXIST) }
            if flags & 2 != 0, !exists { throw Errno(ENODATA) }
            found.extended[name] = value
            found.changed = now()
        }
    }

    package func removeExtendedAttribute(_ name: Name, of node: NodeID, _ request: Request) throws(Errno) {
        try changing(.removeExtended, request) { (state) throws(Errno) in
            let found = try state.node(node)
            guard found.extended.removeValue(forKey: name) != nil else { throw Errno(ENODATA) }
            found.changed = now()
        }
    }

    package func statistics() throws(Errno) -> FileSystemStatistics {
        try counted(.statistics) { (state) throws(Errno) in
            FileSystemStatistics(
                blockSize: 4096, blocks: 1 << 20, blocksFree: 1 << 19, blocksAvailable: 1 << 19, files: 1 << 20,
                filesFree: UInt64((1 << 20) - state.nodes.count))
        }
    }

    // MARK: Files

    package func create(
        _ name: Name, in parent: NodeID, mode: UInt32, flags: Int32, _ request: Request
    ) throws(Errno) -> (Node, FileHandle) {
        try changing(.create, request) { (state) throws(Errno) in
            let node = try state.make(name, in: parent, mode: mode & 0o7777 | 0o100000, request)
            return (try state.referenced(node.id), state.open(node))
        }
    }

    package func open(_ node: NodeID, flags: Int32, _ request: Request) throws(Errno) -> FileHandle {
        try changing(.open, request) { (state) throws(Errno) in state.open(try state.node(node)) }
    }

    package func read(
        _ node: NodeID, handle: FileHandle, offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        try counted(.read) { (state) throws(Errno) in try state.file(handle).read(at: offset, into: buffer) }
    }

    package func write(
        _ node: NodeID, handle: FileHandle, offset: UInt64, bytes: UnsafeRawBufferPointer, _ request: Request
    ) throws(Errno) -> Int {
        try changing(.write, request) { (state) throws(Errno) in
            let file = try state.file(handle)
            try file.write(bytes, at: offset)
            if request.clearsPrivileges { file.clearPrivileges() }
            return bytes.count
        }
    }

    package func flush(_ node: NodeID, handle: FileHandle) throws(Errno) {
        try counted(.flush) { (state) throws(Errno) in _ = try state.file(handle) }
    }

    package func synchronize(_ node: NodeID, handle: FileHandle, dataOnly: Bool) throws(Errno) {
        try counted(.synchronize) { (state) throws(Errno) in _ = try state.file(handle) }
    }

    package func allocate(
        _ node: NodeID, handle: FileHandle, mode: Int32, offset: UInt64, length: UInt64, _ request: Request
    ) throws(Errno) {
        try changing(.allocate, request) { (state) throws(Errno) in
            let file = try state.file(handle)
            try file.allocate(mode: mode, offset: offset, length: length)
            if request.clearsPrivileges { file.clearPrivileges() }
        }
    }

    package func close(_ node: NodeID, handle: FileHandle) { close(handle, .close) }

    private func close(_ handle: FileHandle, _ call: Call) {
        state.withLock { state in
            state.counts[call, default: 0] += 1
            guard let node = state.handles.removeValue(forKey: handle) else { return }
            node.opens -= 1
            state.dropIfUnused(node)
        }
    }

    // MARK: Directories

    package func openDirectory(_ node: NodeID, _ request: Request) throws(Errno) -> FileHandle {
        try counted(.openDirectory) { (state) throws(Errno) in state.open(try state.directory(node)) }
    }

    package func list(
        _ node: NodeID, handle: FileHandle, after cookie: UInt64, add: (DirectoryEntry) -> Bool
    ) throws(Errno) {
        try counted(.list) { (state) throws(Errno) in
            let directory = try state.directory(node)
            for entry in state.entries(of: directory, after: cookie) where !add(entry) { return }
        }
    }

    package func synchronizeDirectory(_ node: NodeID, handle: FileHandle, dataOnly: Bool) throws(Errno) {
        try counted(.synchronizeDirectory) { (state) throws(Errno) in _ = try state.directory(node) }
    }

    package func closeDirectory(_ node: NodeID, handle: FileHandle) { close(handle, .closeDirectory) }
}

func now() -> Instant {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Instant(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec))
}
