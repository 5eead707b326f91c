package import AsofCore
package import AsofFileSystem
internal import AsofSystem
internal import Glibc

extension RecordFileSystem {
    package func makeNode(
        _ name: Name, in parent: NodeID, mode: UInt32, device: UInt64, _ request: Request
    ) throws(Errno) -> Node {
        try make(.mknod, name, in: parent, mode: mode, request) { (parent, mode) throws(Errno) in
            try SystemCall.makeNode(at: parent, name, mode: mode, device: device)
            return []
        }
    }

    package func makeDirectory(_ name: Name, in parent: NodeID, mode: UInt32, _ request: Request) throws(Errno) -> Node {
        try make(.mkdir, name, in: parent, mode: mode, request) { (parent, mode) throws(Errno) in
            try SystemCall.makeDirectory(at: parent, name, mode: mode)
            return []
        }
    }

    package func makeSymbolicLink(_ name: Name, in parent: NodeID, target: [UInt8], _ request: Request) throws(Errno) -> Node {
        try make(.symlink, name, in: parent, mode: 0, request) { (parent, _) throws(Errno) in
            try SystemCall.symbolicLink(target: target, at: parent, name)
            return target
        }
    }

    /// Makes something that has no content; `perform` returns a symbolic link's target.
    private func make(
        _ verb: Verb, _ name: Name, in parent: NodeID, mode: UInt32, _ request: Request, _ perform: (Int32, UInt32) throws(Errno) -> [UInt8]
    ) throws(Errno) -> Node {
        let directory = try table.node(parent)
        try refuseLeftOut(name, in: directory)
        return try logging(verb, [directory]) { () throws(Errno) in
            var target: [UInt8] = []
            try make(name, in: directory, mode: mode, for: request) { mode throws(Errno) in target = try perform(directory.raw, mode) }
            let node = try undoing(name, in: directory) { () throws(Errno) in try adopt(name, in: directory) }
            let status = try node.status()
            var operations = try birth(of: node, status, name, in: directory)
            if verb == .symlink { operations.append(.symbolicLink(node.inode, target: target)) }
            return (reply(node, status), operations)
        }
    }

    package func create(
        _ name: Name, in parent: NodeID, mode: UInt32, flags: Int32, _ request: Request
    ) throws(Errno) -> (Node, FileHandle) {
        let directory = try table.node(parent)
        try refuseLeftOut(name, in: directory)
        do throws(Errno) {
            return try logging(.create, [directory]) { () throws(Errno) in
                var made: Int32 = -1
                try make(name, in: directory, mode: mode, for: request) { mode throws(Errno) in
                    made = try SystemCall.open(
                        at: directory.raw, name, OpenFile.backingFlags(flags) | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode).release()
                }
                let descriptor = SharedDescriptor(taking: made)
                let node = try undoing(name, in: directory) { () throws(Errno) in try adopt(name, in: directory) }
                let status = try SystemCall.status(made)
                let file = OpenFile(node: node, descriptor: descriptor)
                return ((reply(node, status), file.handle), try birth(of: node, status, name, in: directory))
            }
        } catch {
            // Somebody made it between the kernel's look-up and now; without O_EXCL that is as good.
            guard error.rawValue == EEXIST, flags & O_EXCL == 0 else { throw error }
            let (node, status) = try table.resolve(name, in: directory)
            let handle = try open(node, flags: flags)
            return (reply(node, status), handle)
        }
    }

    /// A name that would not be captured must not come.
    private func refuseLeftOut(_ name: Name, in directory: RecordedNode) throws(Errno) {
        if NodeTable.isLeftOut(name, in: directory) { throw Errno(EPERM) }
    }

    /// The node of what was just made under `name`.
    private func adopt(_ name: Name, in directory: RecordedNode) throws(Errno) -> RecordedNode {
        let descriptor = SharedDescriptor(try SystemCall.open(at: directory.raw, name, SystemCall.O_PATH | O_NOFOLLOW))
        return table.add(descriptor, try SystemCall.status(descriptor.unmanaged))
    }

    private func birth(
        of node: RecordedNode, _ status: FileStatus, _ name: Name, in directory: RecordedNode
    ) throws(Errno) -> [Operation] {
        var operations: [Operation] = [
            .attributes(node.inode, status.attributes, isBorn: true),
            .entry(parent: directory.inode, name: name, target: node.inode),
            .attributes(directory.inode, try directory.status().attributes, isBorn: false),
        ]
        // A default access-control list of the directory comes down as attributes of the new file.
        for attribute in try extendedAttributes(of: node) {
            operations.append(.extendedAttribute(node.inode, name: attribute.name, value: attribute.value))
        }
        return operations
    }

    package func link(_ node: NodeID, as name: Name, in parent: NodeID, _ request: Request) throws(Errno) -> Node {
        let node = try table.node(node)
        let directory = try table.node(parent)
        try refuseLeftOut(name, in: directory)
        return try logging(.link, [directory, node]) { () throws(Errno) in
            try SystemCall.link(descriptor: node.raw, to: directory.raw, name)
            let status = try node.status()
            table.retain(node)
            return (
                reply(node, status),
                [
                    .entry(parent: directory.inode, name: name, target: node.inode),
                    .attributes(node.inode, status.attributes, isBorn: false),
                    .attributes(directory.inode, try directory.status().attributes, isBorn: false),
                ]
            )
        }
    }

    package func unlink(_ name: Name, in parent: NodeID, _ request: Request) throws(Errno) {
        try remove(.unlink, name, in: parent) { directory throws(Errno) in try SystemCall.unlink(at: directory, name) }
    }

    package func removeDirectory(_ name: Name, in parent: NodeID, _ request: Request) throws(Errno) {
        try remove(.rmdir, name, in: parent) { directory throws(Errno) in try SystemCall.removeDirectory(at: directory, name) }
    }

    private func remove(
        _ verb: Verb, _ name: Name, in parent: NodeID, _ perform: (Int32) throws(Errno) -> Void
    ) throws(Errno) {
        let directory = try table.node(parent)
        let node = try table.resolve(name, in: directory).node
        defer { table.release(node) }
        try logging(verb, [directory, node]) { () throws(Errno) in
            if try node.status().attributes.links <= 1 { try keep(node, 0..<UInt64.max) }
            try perform(directory.raw)
            var operations: [Operation] = [.entry(parent: directory.inode, name: name, target: nil)]
            operations.append(try lostName(node))
            operations.append(.attributes(directory.inode, try directory.status().attributes, isBorn: false))
            return ((), operations)
        }
    }

    /// What is to be said of a node that a name was taken from. Its lock is held.
    private func lostName(_ node: RecordedNode) throws(Errno) -> Operation {
        var attributes = try node.status().attributes
        if node.isDirectory { attributes.links = 0 }
        if attributes.links == 0 {
            node.markGone()
            table.remove(node)
        }
        return .attributes(node.inode, attributes, isBorn: false)
    }

    package func rename(
        _ name: Name, in parent: NodeID, to newName: Name, in newParent: NodeID, flags: UInt32, _ request: Request
    ) throws(Errno) {
        let options = SystemCall.RenameFlags(rawValue: flags)
        guard options.isSubset(of: [.noReplace, .exchange]) else { throw Errno(EINVAL) }
        let from = try table.node(parent)
        let to = try table.node(newParent)
        try refuseLeftOut(newName, in: to)
        let node = try table.resolve(name, in: from).node
        defer { table.release(node) }
        let other: RecordedNode?
        do throws(Errno) { other = try table.resolve(newName, in: to).node } catch {
            guard error.rawValue == ENOENT else { throw error }
            other = nil
        }
        defer { if let other { table.release(other) } }
        let isExchange = options.contains(.exchange)
        try logging(isExchange ? .exchange : .rename, [from, to, node] + (other.map { [$0] } ?? [])) { () throws(Errno) in
            if let other, !isExchange, try other.status().attributes.links <= 1 { try keep(other, 0..<UInt64.max) }
            try SystemCall.rename(at: from.raw, name, to: to.raw, newName, flags: options)
            // Two names of one file: rename(2) does nothing.
            if let other, other.inode == node.inode { return ((), []) }
            var operations: [Operation] = [
                .entry(parent: from.inode, name: name, target: isExchange ? other?.inode : nil),
                .entry(parent: to.inode, name: newName, target: node.inode),
                .attributes(node.inode, try node.status().attributes, isBorn: false),
            ]
            if let other {
                operations.append(
                    isExchange ? .attributes(other.inode, try other.status().attributes, isBorn: false) : try lostName(other))
            }
            operations.append(.attributes(from.inode, try from.status().attributes, isBorn: false))
            if to.inode != from.inode { operations.append(.attributes(to.inode, try to.status().attributes, isBorn: false)) }
            return ((), operations)
        }
    }
}
