internal import AsofCore
internal import AsofFileSystem
internal import CFuse3
internal import Glibc

extension Callbacks {
    static func addAttributes(to table: inout fuse_lowlevel_ops) {
        table.getattr = { handle, node, file in
            PendingReply.attributes(handle) { (_, context) throws(Errno) in
                try context.fileSystem.attributes(of: node, handle: file?.pointee.fh)
            }
        }
        table.setattr = { handle, node, status, valid, file in
            PendingReply.attributes(handle) { (reply, context) throws(Errno) in
                if context.isReadOnly { throw Errno(EROFS) }
                guard let status else { throw Errno(EINVAL) }
                let changes = try AttributeChanges(status.pointee, valid: valid)
                // A change of owner takes the bits with it whoever asks, and the kernel leaves that to us.
                let isOwnerChange = changes.owner != nil || changes.group != nil
                return try context.fileSystem.setAttributes(
                    changes, of: node, handle: file?.pointee.fh,
                    reply.request(context, clearsPrivileges: isOwnerChange && context.agreement.hasPrivilegeClearing))
            }
        }
        table.readlink = { handle, node in
            guard let handle else { return }
            let reply = PendingReply(handle)
            guard let context = reply.context else { return }
            do throws(Errno) {
                let target = try context.fileSystem.readSymbolicLink(node)
                // Not fuse_reply_readlink: that wants a terminated string, and sends the same.
                target.withUnsafeBytes { bytes in
                    _ = fuse_reply_buf(handle, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
                }
                reply.answered()
            } catch {
                reply.fail(error)
            }
        }
        table.statfs = { handle, _ in
            guard let handle else { return }
            let reply = PendingReply(handle)
            guard let context = reply.context else { return }
            do throws(Errno) {
                let statistics = try context.fileSystem.statistics()
                reply.statistics(statistics.statvfs)
            } catch {
                reply.fail(error)
            }
        }
    }
}

extension AttributeChanges {
    /// `valid`: FUSE_SET_ATTR_…
    fileprivate init(_ status: stat, valid: Int32) throws(Errno) {
        self.init()
        func has(_ bit: Int32) -> Bool { valid & bit != 0 }
        if has(FUSE_SET_ATTR_MODE) { mode = status.st_mode & 0o7777 }
        if has(FUSE_SET_ATTR_UID) { owner = status.st_uid }
        if has(FUSE_SET_ATTR_GID) { group = status.st_gid }
        if has(FUSE_SET_ATTR_SIZE) {
            guard let bytes = UInt64(exactly: status.st_size) else { throw Errno(EINVAL) }
            size = bytes
        }
        if has(FUSE_SET_ATTR_ATIME_NOW) {
            accessed = .now
        } else if has(FUSE_SET_ATTR_ATIME) {
            accessed = .at(Instant(seconds: Int64(status.st_atim.tv_sec), nanoseconds: Int64(status.st_atim.tv_nsec)))
        }
        if has(FUSE_SET_ATTR_MTIME_NOW) {
            modified = .now
        } else if has(FUSE_SET_ATTR_MTIME) {
            modified = .at(Instant(seconds: Int64(status.st_mtim.tv_sec), nanoseconds: Int64(status.st_mtim.tv_nsec)))
        }
    }
}

extension FileSystemStatistics {
    fileprivate var statvfs: Glibc.statvfs {
        var result = Glibc.statvfs()
        result.f_bsize = UInt(blockSize)
        result.f_frsize = UInt(blockSize)
        result.f_blocks = UInt(blocks)
        result.f_bfree = UInt(blocksFree)
        result.f_bavail = UInt(blocksAvailable)
        result.f_files = UInt(files)
        result.f_ffree = UInt(filesFree)
        result.f_favail = UInt(filesFree)
        result.f_namemax = UInt(nameLengthMax)
        return result
    }
}
