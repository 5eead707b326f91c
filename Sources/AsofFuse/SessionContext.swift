internal import AsofCore
internal import AsofFileSystem
internal import CFuse3
internal import Glibc
internal import Synchronization

/// What every callback may reach. The mount holds one retain of it for as long as libfuse has its address.
final class SessionContext: Sendable {
    let fileSystem: any AsofFileSystem
    let isReadOnly: Bool
    let cacheForever: Bool
    let maximumTransfer: Int
    /// Opens are left to the kernel, see `StatelessOpens`.
    let hasStatelessOpens: Bool
    let agreement = InitialAgreement()
    private let volatileNames: (any VolatileNames)?
    private let workerKey: pthread_key_t

    /// Seconds for names and attributes that only change by requests of this kernel. Thirty years: for ever, without overflow.
    private static let unbounded = 1e9

    init(fileSystem: any AsofFileSystem, options: MountOptions) throws(Errno) {
        var key = pthread_key_t()
        let code = pthread_key_create(&key, nil)
        guard code == 0 else { throw Errno(code) }
        workerKey = key
        self.fileSystem = fileSystem
        isReadOnly = options.isReadOnly || fileSystem.isReadOnly
        cacheForever = options.cacheForever
        maximumTransfer = options.maximumTransfer
        hasStatelessOpens = isReadOnly && fileSystem is any StatelessOpens
        volatileNames = fileSystem as? any VolatileNames
    }

    deinit { pthread_key_delete(workerKey) }

    /// The worker that runs the calling thread; nil on any other thread.
    var worker: Worker? { pthread_getspecific(workerKey).map { Unmanaged<Worker>.fromOpaque($0).takeUnretainedValue() } }

    /// The caller keeps `worker` alive until it says nil.
    func setWorker(_ worker: Worker?) {
        pthread_setspecific(workerKey, worker.map { UnsafeRawPointer(Unmanaged.passUnretained($0).toOpaque()) })
    }

    /// Some nodes may be volatile.
    var hasVolatileNames: Bool { volatileNames != nil }

    func isVolatile(_ node: NodeID) -> Bool { volatileNames?.isVolatile(node) ?? false }

    /// Seconds for which the kernel may believe what it is told of the node.
    func timeout(of node: NodeID) -> Double {
        if isVolatile(node) { return 0 }
        return cacheForever ? Self.unbounded : 0
    }

    /// The lists of this directory may be kept by the kernel.
    func keepsList(of node: NodeID) -> Bool { isReadOnly && cacheForever && !isVolatile(node) }

    /// A reply that adds a reference to the node.
    func entry(_ node: Node) -> fuse_entry_param {
        let timeout = timeout(of: node.id)
        var entry = fuse_entry_param()
        entry.ino = node.id
        entry.attr = node.status
        entry.attr_timeout = timeout
        entry.entry_timeout = timeout
        return entry
    }

    /// The reply that a name is missing and that the kernel may remember this; nil where it may not.
    func missingEntry(in parent: NodeID) -> fuse_entry_param? {
        let timeout = timeout(of: parent)
        guard timeout > 0 else { return nil }
        var entry = fuse_entry_param()
        entry.entry_timeout = timeout
        return entry
    }
}

extension Node {
    /// As stat(2) shows it. There is no access time of its own: the modification time stands for it.
    var status: stat {
        var status = stat()
        status.st_ino = UInt(inode.rawValue)
        status.st_mode = attributes.mode
        status.st_nlink = UInt(attributes.links)
        status.st_uid = attributes.owner
        status.st_gid = attributes.group
        status.st_rdev = UInt(attributes.device)
        status.st_size = Int(clamping: attributes.size)
        status.st_blksize = 4096
        status.st_blocks = Int(clamping: blocks)
        status.st_mtim = attributes.modified.timespec
        status.st_atim = status.st_mtim
        status.st_ctim = attributes.changed.timespec
        return status
    }
}

extension Instant {
    var timespec: Glibc.timespec { Glibc.timespec(tv_sec: Int(seconds), tv_nsec: Int(subsecond)) }
}
