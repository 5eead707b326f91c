package import AsofCore
package import AsofFileSystem
internal import AsofSystem
internal import Glibc

extension OverlayFileSystem {
    /// Changes one node: `plan` says what will be, from what is; its operations are journaled, then done.
    private func change<Value>(
        _ verb: Verb, _ inode: NodeID, _ plan: (OverlayNode) throws(Errno) -> (value: Value, operations: [Operation])
    ) throws(Errno) -> Value {
        let node = try node(InodeNumber(inode))
        return try store.changing { () throws(Errno) in
            try node.lock.withLock { _ throws(Errno) in
                let planned = try plan(node)
                if !node.isGone { try store.commit(verb, planned.operations) }
                store.done(planned.operations, node)
                return planned.value
            }
        }
    }

    package func setAttributes(
        _ changes: AttributeChanges, of node: NodeID, handle: FileHandle?, _ request: Request
    ) throws(Errno) -> Node {
        let changed = try change(changes.size == nil ? .setattr : .truncate, node) { node throws(Errno) in
            let now = SystemClock.now()
            var attributes = node.attributes
            var operations: [Operation] = []
            if let size = changes.size {
                guard attributes.isRegular else { throw Errno(attributes.isDirectory ? EISDIR : EINVAL) }
                guard size <= UInt64(Int64.max) else { throw Errno(EFBIG) }
                // truncate(2) to the same size changes nothing. ftruncate(2), which comes with a handle, sets the time, and so does O_TRUNC,
                // which comes without: of an empty file it cannot be told from truncate(2), and is the likelier.
                if handle != nil || size != attributes.size || size == 0 { attributes.modified = now }
                if size < attributes.size { operations.append(.truncate(node.inode, size: size)) }
                attributes.size = size
            }
            if request.clearsPrivileges { operations.append(contentsOf: Self.clearPrivileges(&attributes, of: node)) }
            if let mode = changes.mode { attributes.mode = attributes.mode & 0o170000 | mode & 0o7777 }
            if let owner = changes.owner { attributes.owner = owner }
            if let group = changes.group { attributes.group = group }
            switch changes.modified {
            case .now: attributes.modified = now
            case .at(let instant): attributes.modified = instant
            case nil: break
            }
            attributes.changed = now
            operations.append(.attributes(node.inode, attributes, isBorn: false))
            return (attributes, operations)
        }
        return try reply(InodeNumber(node), changed)
    }

    /// As write(2) by someone without CAP_FSETID does it: set-group-id stays where the group may not execute, and it means something else.
    static func clearPrivileges(_ attributes: inout Attributes, of node: OverlayNode) -> [Operation] {
        guard !attributes.isDirectory else { return [] }
        attributes.mode &= ~0o4000
        if attributes.mode & 0o0010 != 0 { attributes.mode &= ~0o2000 }
        let name = Name(unchecked: Array("security.capability".utf8))
        guard node.isInView || node.extended[name] != nil else { return [] }
        return [.extendedAttribute(node.inode, name: name, value: nil)]
    }

    // MARK: Extended attributes

    private func extendedAttributes(_ inode: InodeNumber) throws(Errno) -> [Name: [UInt8]] {
        let node = tree.node(inode)
        var found = node?.isInView == false ? [:] : try base.extendedAttributes(of: inode)
        if let node {
            for (name, value) in node.lock.withLock({ _ in node.extended }) { found[name] = value }
        }
        return found
    }

    package func extendedAttribute(_ name: Name, of node: NodeID) throws(Errno) -> [UInt8] {
        let inode = InodeNumber(node)
        if inode == .root, let fact = try base.facts[name] { return fact }
        guard let value = try extendedAttributes(inode)[name] else { throw Errno(ENODATA) }
        return value
    }

    package func extendedAttributeNames(of node: NodeID) throws(Errno) -> [Name] {
        let inode = InodeNumber(node)
        var names = Set(try extendedAttributes(inode).keys)
        if inode == .root { names.formUnion(try base.facts.keys) }
        return names.sorted()
    }

    package func setExtendedAttribute(
        _ name: Name, of node: NodeID, value: [UInt8], flags: Int32, _ request: Request
    ) throws(Errno) {
        try refuse(name)
        let exists = try extendedAttributes(InodeNumber(node))[name] != nil
        // XATTR_CREATE, XATTR_REPLACE
        if flags & 1 != 0, exists { throw Errno(EEXIST) }
        if flags & 2 != 0, !exists { throw Errno(ENODATA) }
        try setExtended(.setxattr, name, of: node, value)
    }

    package func removeExtendedAttribute(_ name: Name, of node: NodeID, _ request: Request) throws(Errno) {
        try refuse(name)
        guard try extendedAttributes(InodeNumber(node))[name] != nil else { throw Errno(ENODATA) }
        try setExtended(.removexattr, name, of: node, nil)
    }

    /// Access-control lists would have to be kept in step with the mode, and nobody here would obey them. Other names no disk has: a promotion could
    /// not end.
    private func refuse(_ name: Name) throws(Errno) {
        guard ["user.", "trusted.", "security."].contains(where: { name.bytes.starts(with: $0.utf8) && name.bytes.count > $0.utf8.count }) else { throw Errno(EOPNOTSUPP) }
        if name.bytes.starts(with: Array("user.asof.".utf8)) { throw Errno(EPERM) }
    }

    private func setExtended(_ verb: Verb, _ name: Name, of node: NodeID, _ value: [UInt8]?) throws(Errno) {
        try change(verb, node) { node throws(Errno) in
            var attributes = node.attributes
            attributes.changed = SystemClock.now()
            return ((), [.extendedAttribute(node.inode, name: name, value: value), .attributes(node.inode, attributes, isBorn: false)])
        }
    }
}
