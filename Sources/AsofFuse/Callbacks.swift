internal import AsofCore
internal import AsofFileSystem
internal import CFuse3
internal import Glibc

/// The table of callbacks. Each only decodes, forwards and replies; C closures capture nothing.
///
/// Left out: access (default_permissions checks it in the kernel), getlk, setlk and flock (the kernel keeps the locks), lseek
/// (holes count as data), copy_file_range (the kernel copies through the page cache), write_buf (a plain write is no slower).
enum Callbacks {
    static func table() -> fuse_lowlevel_ops {
        var table = fuse_lowlevel_ops()
        table.`init` = { context, connection in
            guard let context, let connection else { return }
            Unmanaged<SessionContext>.fromOpaque(context).takeUnretainedValue().agree(&connection.pointee)
        }
        addNames(to: &table)
        addAttributes(to: &table)
        addFiles(to: &table)
        addDirectories(to: &table)
        addExtendedAttributes(to: &table)
        return table
    }
}

extension SessionContext {
    /// Chooses among what the kernel offers.
    func agree(_ connection: inout fuse_conn_info) {
        let offered = connection.capable
        func set(_ capability: Int32, _ isWanted: Bool) {
            let bit = UInt32(bitPattern: capability)
            if isWanted { connection.want |= bit & offered } else { connection.want &= ~bit }
        }
        set(FUSE_CAP_ASYNC_READ, true)
        set(FUSE_CAP_ASYNC_DIO, true)
        set(FUSE_CAP_PARALLEL_DIROPS, true)
        // O_TRUNC then arrives as a setattr of size 0: one way to truncate instead of two.
        set(FUSE_CAP_ATOMIC_O_TRUNC, false)
        // The cache would be fast, and lose the order of writes.
        set(FUSE_CAP_WRITEBACK_CACHE, false)
        set(FUSE_CAP_POSIX_LOCKS, false)
        set(FUSE_CAP_FLOCK_LOCKS, false)
        set(FUSE_CAP_HANDLE_KILLPRIV, false)
        set(FUSE_CAP_IOCTL_DIR, false)
        set(FUSE_CAP_AUTO_INVAL_DATA, !cacheForever)
        // Look-ups while listing add references that a writable file system pays for; a view's are free.
        set(FUSE_CAP_READDIRPLUS, isReadOnly)
        set(FUSE_CAP_READDIRPLUS_AUTO, isReadOnly)
        connection.max_write = UInt32(clamping: maximumTransfer)
        connection.max_readahead = UInt32(clamping: maximumTransfer)
        connection.max_background = 64
        connection.congestion_threshold = 48
        connection.time_gran = 1
    }
}
