internal import AsofCore
internal import AsofFileSystem
internal import CFuse3
internal import Glibc

extension Callbacks {
    static func addExtendedAttributes(to table: inout fuse_lowlevel_ops) {
        table.getxattr = { handle, node, name, size in
            PendingReply.value(handle, capacity: size) { (_, context) throws(Errno) in
                try context.fileSystem.extendedAttribute(Name(kernel: name), of: node)
            }
        }
        table.listxattr = { handle, node, size in
            PendingReply.value(handle, capacity: size) { (_, context) throws(Errno) in
                var list: [UInt8] = []
                for name in try context.fileSystem.extendedAttributeNames(of: node) {
                    list += name.bytes
                    list.append(0)
                }
                return list
            }
        }
        table.setxattr = { handle, node, name, value, size, flags in
            PendingReply.changed(handle) { (reply, context) throws(Errno) in
                try context.fileSystem.setExtendedAttribute(
                    Name(kernel: name), of: node, value: Array(UnsafeRawBufferPointer(start: value, count: size)), flags: flags,
                    reply.request(context))
            }
        }
        table.removexattr = { handle, node, name in
            PendingReply.changed(handle) { (reply, context) throws(Errno) in
                try context.fileSystem.removeExtendedAttribute(Name(kernel: name), of: node, reply.request(context))
            }
        }
    }
}
