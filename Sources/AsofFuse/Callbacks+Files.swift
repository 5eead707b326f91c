internal import AsofCore
internal import AsofFileSystem
internal import CFuse3
internal import Glibc

/// Flags that are the kernel's business: it makes the file, truncates it, computes where an append goes and keeps the cache.
private let kernelFlags = O_CREAT | O_EXCL | O_TRUNC | O_APPEND | O_NOCTTY | 0o40000 /* O_DIRECT */

extension Callbacks {
    static func addFiles(to table: inout fuse_lowlevel_ops) {
        addOpening(to: &table)
        table.read = { handle, node, size, offset, file in
            guard let handle else { return }
            let reply = PendingReply(handle)
            guard let context = reply.context, let worker = context.worker, let file else { return }
            do throws(Errno) {
                guard let offset = UInt64(exactly: offset) else { throw Errno(EINVAL) }
                let buffer = try worker.buffer(size)
                let count = try context.fileSystem.read(node, handle: file.pointee.fh, offset: offset, into: buffer)
                guard (0...size).contains(count) else { throw Errno(EIO) }
                reply.bytes(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            } catch {
                reply.fail(error)
            }
        }
        table.write = { handle, node, bytes, size, offset, file in
            guard let handle else { return }
            let reply = PendingReply(handle)
            guard let context = reply.context, let file else { return }
            do throws(Errno) {
                if context.isReadOnly { throw Errno(EROFS) }
                guard let offset = UInt64(exactly: offset) else { throw Errno(EINVAL) }
                let count = try context.fileSystem.write(
                    node, handle: file.pointee.fh, offset: offset, bytes: UnsafeRawBufferPointer(start: bytes, count: size),
                    reply.request(context))
                guard (0...size).contains(count) else { throw Errno(EIO) }
                reply.written(count)
            } catch {
                reply.fail(error)
            }
        }
        table.fallocate = { handle, node, mode, offset, length, file in
            PendingReply.changed(handle) { (reply, context) throws(Errno) in
                guard let file, let offset = UInt64(exactly: offset), let length = UInt64(exactly: length) else {
                    throw Errno(EINVAL)
                }
                var request = reply.request(context)
                // The one change for which the kernel neither clears the bits nor asks for it: root stands for CAP_FSETID.
                if request.user != 0, context.agreement.hasPrivilegeClearing { request.clearsPrivileges = true }
                try context.fileSystem.allocate(
                    node, handle: file.pointee.fh, mode: mode, offset: offset, length: length, request)
            }
        }
        table.flush = { handle, node, file in
            PendingReply.done(handle) { (_, context) throws(Errno) in
                // ENOSYS: the kernel asks no more, and close(2) costs nothing.
                guard let file, !context.isReadOnly else { throw Errno(ENOSYS) }
                try context.fileSystem.flush(node, handle: file.pointee.fh)
            }
        }
        table.fsync = { handle, node, dataOnly, file in
            PendingReply.done(handle) { (_, context) throws(Errno) in
                guard let file, !context.isReadOnly else { throw Errno(ENOSYS) }
                try context.fileSystem.synchronize(node, handle: file.pointee.fh, dataOnly: dataOnly != 0)
            }
        }
        table.release = { handle, node, file in
            PendingReply.done(handle) { (_, context) throws(Errno) in
                if let file { context.fileSystem.close(node, handle: file.pointee.fh) }
            }
        }
    }

    private static func addOpening(to table: inout fuse_lowlevel_ops) {
        table.open = { handle, node, file in
            guard let handle else { return }
            let reply = PendingReply(handle)
            guard let context = reply.context, let file else { return }
            do throws(Errno) {
                if context.isReadOnly, file.pointee.flags & O_ACCMODE != O_RDONLY { throw Errno(EROFS) }
                // The kernel then opens by itself, and keeps the cache.
                if context.hasStatelessOpens { throw Errno(ENOSYS) }
                let opened = try context.fileSystem.open(
                    node, flags: file.pointee.flags & ~kernelFlags, reply.request(context))
                file.pointee.answer(opened, in: context)
                if !reply.opened(file) { context.fileSystem.close(node, handle: opened) }
            } catch {
                reply.fail(error)
            }
        }
        table.create = { handle, parent, name, mode, file in
            guard let handle else { return }
            let reply = PendingReply(handle)
            guard let context = reply.context, let file else { return }
            do throws(Errno) {
                if context.isReadOnly { throw Errno(EROFS) }
                let (node, opened) = try context.fileSystem.create(
                    Name(kernel: name), in: parent, mode: mode, flags: file.pointee.flags & ~kernelFlags,
                    reply.request(context))
                file.pointee.answer(opened, in: context)
                if !reply.created(context.entry(node), file) {
                    context.fileSystem.close(node.id, handle: opened)
                    context.fileSystem.forget(node.id, count: 1)
                }
            } catch {
                reply.fail(error)
            }
        }
    }
}

extension fuse_file_info {
    fileprivate mutating func answer(_ handle: FileHandle, in context: SessionContext) {
        fh = handle
        keep_cache = context.cacheForever ? 1 : 0
        noflush = context.isReadOnly ? 1 : 0
    }
}
