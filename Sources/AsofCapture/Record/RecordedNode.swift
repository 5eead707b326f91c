internal import AsofCore
internal import AsofSystem
internal import Synchronization

/// A file or directory of the backing directory that is in use: its number and a descriptor that only names it (O_PATH).
final class RecordedNode: Sendable {
    let inode: InodeNumber
    let identity: BackingIdentity
    /// O_PATH.
    let descriptor: SharedDescriptor
    let isDirectory: Bool
    /// Held across each change of the node, so that the log has its changes in their order. The kernel orders the calls of one inode
    /// already; this orders them with the scan and with write-back of shared mappings.
    let lock: Lock<Void>
    private let gone = Atomic<Bool>(false)
    /// How many writes the journal refers to in this file. Grows only with the lock held.
    let references = Atomic<Int>(0)

    init(inode: InodeNumber, identity: BackingIdentity, descriptor: SharedDescriptor, isDirectory: Bool) {
        self.inode = inode
        self.identity = identity
        self.descriptor = descriptor
        self.isDirectory = isDirectory
        lock = Lock(())
    }

    /// No name leads here any more: changes are nobody's past, so they are not logged. Read and set with the lock held.
    var isGoneLocked: Bool { gone.load(ordering: .relaxed) }
    func markGone() { gone.store(true, ordering: .relaxed) }

    /// The node holds its descriptor open as long as it lives, and callers hold the node.
    var raw: Int32 { descriptor.unmanaged }

    func status() throws(Errno) -> FileStatus { try SystemCall.status(raw) }

    /// Runs `body` with all of `nodes` locked; by ascending inode, so that two callers never wait for each other.
    static func locking<Value>(_ nodes: [RecordedNode], _ body: () throws(Errno) -> Value) throws(Errno) -> Value {
        var sorted: [RecordedNode] = []
        for node in nodes.sorted(by: { $0.inode < $1.inode }) where sorted.last?.inode != node.inode { sorted.append(node) }
        return try locking(sorted[...], body)
    }

    private static func locking<Value>(_ nodes: ArraySlice<RecordedNode>, _ body: () throws(Errno) -> Value) throws(Errno) -> Value {
        guard let first = nodes.first else { return try body() }
        return try first.lock.withLock { _ throws(Errno) in try locking(nodes.dropFirst(), body) }
    }
}

/// What the backing file system calls a file. Unique while the file exists or is open.
struct BackingIdentity: Hashable, Sendable {
    var device: UInt64
    var inode: UInt64

    init(_ status: FileStatus) {
        device = status.device
        inode = status.inode
    }

    init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }
}
