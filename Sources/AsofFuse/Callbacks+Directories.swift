internal import AsofCore
internal import AsofFileSystem
internal import CFuse3
internal import Glibc

extension Callbacks {
    static func addDirectories(to table: inout fuse_lowlevel_ops) {
        table.opendir = { handle, node, file in
            guard let handle else { return }
            let reply = PendingReply(handle)
            guard let context = reply.context, let file else { return }
            do throws(Errno) {
                // The kernel would keep every list of the mount: not where some are volatile.
                if context.hasStatelessOpens, !context.hasVolatileNames { throw Errno(ENOSYS) }
                let opened = try context.fileSystem.openDirectory(node, reply.request(context))
                file.pointee.fh = opened
                if context.keepsList(of: node) {
                    file.pointee.cache_readdir = 1
                    file.pointee.keep_cache = 1
                }
                if !reply.opened(file) { context.fileSystem.closeDirectory(node, handle: opened) }
            } catch {
                reply.fail(error)
            }
        }
        table.readdir = { handle, node, size, offset, file in
            guard let handle else { return }
            let reply = PendingReply(handle)
            guard let context = reply.context, let worker = context.worker, let file else { return }
            do throws(Errno) {
                let buffer = try worker.buffer(size)
                var used = 0
                try context.fileSystem.list(node, handle: file.pointee.fh, after: UInt64(bitPattern: Int64(offset))) { entry in
                    let length = entry.add(to: buffer, at: used, handle)
                    used += length
                    return length > 0
                }
                reply.bytes(UnsafeRawBufferPointer(rebasing: buffer[..<used]))
            } catch {
                reply.fail(error)
            }
        }
        table.readdirplus = { handle, node, size, offset, file in
            guard let handle else { return }
            let reply = PendingReply(handle)
            guard let context = reply.context, let worker = context.worker, let file else { return }
            do throws(Errno) {
                let cookie = UInt64(bitPattern: Int64(offset))
                let entries = try context.entries(of: node, handle: file.pointee.fh, after: cookie, fitting: size)
                let buffer = try worker.buffer(size)
                let request = reply.request(context)
                var used = 0
                var found: [NodeID] = []
                for entry in entries {
                    let parameters = context.look(up: entry, in: node, request)
                    let length = entry.add(parameters, to: buffer, at: used, handle)
                    guard length > 0 else {
                        if parameters.ino != 0 { context.fileSystem.forget(parameters.ino, count: 1) }
                        break
                    }
                    if parameters.ino != 0 { found.append(parameters.ino) }
                    used += length
                }
                if !reply.bytes(UnsafeRawBufferPointer(rebasing: buffer[..<used])) {
                    for node in found { context.fileSystem.forget(node, count: 1) }
                }
            } catch {
                reply.fail(error)
            }
        }
        table.releasedir = { handle, node, file in
            PendingReply.done(handle) { (_, context) throws(Errno) in
                if let file { context.fileSystem.closeDirectory(node, handle: file.pointee.fh) }
            }
        }
        table.fsyncdir = { handle, node, dataOnly, file in
            PendingReply.done(handle) { (_, context) throws(Errno) in
                guard let file, !context.isReadOnly else { throw Errno(ENOSYS) }
                try context.fileSystem.synchronizeDirectory(node, handle: file.pointee.fh, dataOnly: dataOnly != 0)
            }
        }
    }
}

extension SessionContext {
    /// As many entries as a reply with attributes of `size` bytes can hold. Collected first: the file system may hold a lock while
    /// it lists, and a look-up from inside would wait for it.
    fileprivate func entries(
        of node: NodeID, handle: FileHandle, after cookie: UInt64, fitting size: Int
    ) throws(Errno) -> [DirectoryEntry] {
        var entries: [DirectoryEntry] = []
        var used = 0
        try fileSystem.list(node, handle: handle, after: cookie) { entry in
            // struct fuse_direntplus: 128 bytes of entry, 24 of header, the name, rounded up to 8.
            let length = (152 + entry.name.count + 7) & ~7
            guard used + length <= size else { return false }
            used += length
            entries.append(entry)
            return true
        }
        return entries
    }

    /// Attributes of an entry, and a reference to it; node 0 where it has none: it is listed all the same.
    fileprivate func look(up entry: DirectoryEntry, in parent: NodeID, _ request: Request) -> fuse_entry_param {
        if let name = Name(entry.name), let node = try? fileSystem.lookup(name, in: parent, request) { return self.entry(node) }
        var parameters = fuse_entry_param()
        parameters.attr.st_ino = UInt(entry.inode.rawValue)
        parameters.attr.st_mode = entry.mode
        return parameters
    }
}

extension DirectoryEntry {
    /// Appends `struct fuse_dirent`; the bytes it took, 0 where it does not fit.
    fileprivate func add(to buffer: UnsafeMutableRawBufferPointer, at used: Int, _ handle: fuse_req_t) -> Int {
        var status = stat()
        status.st_ino = UInt(inode.rawValue)
        status.st_mode = mode
        return adding(to: buffer, at: used) { target, space, name in
            fuse_add_direntry(handle, target, space, name, &status, Int(bitPattern: UInt(cookie)))
        }
    }

    /// The same with attributes, `struct fuse_direntplus`.
    fileprivate func add(
        _ parameters: fuse_entry_param, to buffer: UnsafeMutableRawBufferPointer, at used: Int, _ handle: fuse_req_t
    ) -> Int {
        withUnsafePointer(to: parameters) { parameters in
            adding(to: buffer, at: used) { target, space, name in
                fuse_add_direntry_plus(handle, target, space, name, parameters, Int(bitPattern: UInt(cookie)))
            }
        }
    }

    private func adding(
        to buffer: UnsafeMutableRawBufferPointer, at used: Int,
        _ call: (UnsafeMutablePointer<CChar>, Int, UnsafePointer<CChar>) -> Int
    ) -> Int {
        let space = buffer.count - used
        guard let base = buffer.baseAddress, space > 0, name.count <= 255 else { return 0 }
        return withUnsafeTemporaryAllocation(byteCount: name.count + 1, alignment: 1) { terminated in
            terminated.copyBytes(from: name)
            terminated[name.count] = 0
            guard let text = terminated.baseAddress else { return 0 }
            let target = (base + used).assumingMemoryBound(to: CChar.self)
            let length = call(target, space, text.assumingMemoryBound(to: CChar.self))
            return length <= space ? length : 0
        }
    }
}
