internal import AsofCore
internal import AsofFileSystem
internal import CFuse3
internal import Glibc

extension Callbacks {
    static func addNames(to table: inout fuse_lowlevel_ops) {
        table.lookup = { handle, parent, name in
            guard let handle else { return }
            let reply = PendingReply(handle)
            guard let context = reply.context else { return }
            do throws(Errno) {
                let node = try context.fileSystem.lookup(Name(kernel: name), in: parent, reply.request(context))
                if !reply.entry(context.entry(node)) { context.fileSystem.forget(node.id, count: 1) }
            } catch {
                if error.rawValue == ENOENT, let missing = context.missingEntry(in: parent) {
                    _ = reply.entry(missing)
                } else {
                    reply.fail(error)
                }
            }
        }
        table.forget = { handle, node, count in
            guard let handle else { return }
            let reply = PendingReply(handle)
            reply.context?.fileSystem.forget(node, count: count)
            reply.drop()
        }
        table.forget_multi = { handle, count, forgets in
            guard let handle else { return }
            let reply = PendingReply(handle)
            if let fileSystem = reply.context?.fileSystem {
                for forget in UnsafeBufferPointer(start: forgets, count: count) {
                    fileSystem.forget(forget.ino, count: forget.nlookup)
                }
            }
            reply.drop()
        }
        table.mknod = { handle, parent, name, mode, device in
            PendingReply.made(handle) { (reply, context) throws(Errno) in
                try context.fileSystem.makeNode(
                    Name(kernel: name), in: parent, mode: mode, device: UInt64(device), reply.request(context))
            }
        }
        table.mkdir = { handle, parent, name, mode in
            PendingReply.made(handle) { (reply, context) throws(Errno) in
                try context.fileSystem.makeDirectory(Name(kernel: name), in: parent, mode: mode, reply.request(context))
            }
        }
        table.symlink = { handle, target, parent, name in
            PendingReply.made(handle) { (reply, context) throws(Errno) in
                guard let target else { throw Errno(EINVAL) }
                let bytes = Array(UnsafeRawBufferPointer(start: target, count: strlen(target)))
                return try context.fileSystem.makeSymbolicLink(
                    Name(kernel: name), in: parent, target: bytes, reply.request(context))
            }
        }
        table.link = { handle, node, parent, name in
            PendingReply.made(handle) { (reply, context) throws(Errno) in
                try context.fileSystem.link(node, as: Name(kernel: name), in: parent, reply.request(context))
            }
        }
        table.unlink = { handle, parent, name in
            PendingReply.changed(handle) { (reply, context) throws(Errno) in
                try context.fileSystem.unlink(Name(kernel: name), in: parent, reply.request(context))
            }
        }
        table.rmdir = { handle, parent, name in
            PendingReply.changed(handle) { (reply, context) throws(Errno) in
                try context.fileSystem.removeDirectory(Name(kernel: name), in: parent, reply.request(context))
            }
        }
        table.rename = { handle, parent, name, newParent, newName, flags in
            PendingReply.changed(handle) { (reply, context) throws(Errno) in
                try context.fileSystem.rename(
                    Name(kernel: name), in: parent, to: Name(kernel: newName), in: newParent, flags: flags,
                    reply.request(context))
            }
        }
    }
}
