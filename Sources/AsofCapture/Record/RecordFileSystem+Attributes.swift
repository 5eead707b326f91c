package import AsofCore
package import AsofFileSystem
internal import AsofRepository
internal import AsofSystem
internal import Glibc

extension RecordFileSystem {
    package func setAttributes(
        _ changes: AttributeChanges, of node: NodeID, handle: FileHandle?, _ request: Request
    ) throws(Errno) -> Node {
        let node = try table.node(node)
        let file = try handle.map { handle throws(Errno) in try OpenFile.with(handle) }
        return try logging(verb(of: changes), [node]) { () throws(Errno) in
            var operations: [Operation] = []
            if let size = changes.size {
                try keep(node, size..<UInt64.max)
                try resize(node, file, to: size)
                operations.append(.truncate(node.inode, size: size))
            }
            if changes.owner != nil || changes.group != nil {
                try SystemCall.changeOwner(node.raw, owner: changes.owner, group: changes.group)
            }
            if let mode = changes.mode { try SystemCall.changeMode(node.raw, mode) }
            if changes.accessed != nil || changes.modified != nil {
                try SystemCall.setTimes(node.raw, accessed: .init(changes.accessed), modified: .init(changes.modified))
            }
            if request.clearsPrivileges, changes.mode == nil { _ = try clearPrivileges(node.raw, try node.status()) }
            let status = try node.status()
            guard !node.isGoneLocked else { return (reply(node, status), []) }
            // Changing the mode changes an access-control list's mask with it.
            if changes.mode != nil, let name = Name("system.posix_acl_access"),
                let list = try? SystemCall.extendedAttribute(node.raw, name)
            {
                operations.append(.extendedAttribute(node.inode, name: name, value: list))
            }
            operations.append(.attributes(node.inode, status.attributes, isBorn: false))
            return (reply(node, status), operations)
        }
    }

    private func resize(_ node: RecordedNode, _ file: OpenFile?, to size: UInt64) throws(Errno) {
        if let file, (try? SystemCall.truncate(file.raw, to: size)) != nil { return }
        let writable = try SystemCall.reopen(node.raw, O_WRONLY)
        try SystemCall.truncate(writable.raw, to: size)
    }

    private func verb(of changes: AttributeChanges) -> Verb {
        let parts: [(Bool, Verb)] = [
            (changes.size != nil, .truncate), (changes.mode != nil, .chmod), (changes.owner != nil || changes.group != nil, .chown),
            (changes.accessed != nil || changes.modified != nil, .utimens),
        ]
        let given = parts.filter(\.0)
        // The kernel sets the times along with a size.
        return given.count == 1 || changes.size != nil ? given.first?.1 ?? .setattr : .setattr
    }

    // MARK: Extended attributes

    package func extendedAttribute(_ name: Name, of node: NodeID) throws(Errno) -> [UInt8] {
        let node = try table.node(node)
        guard !OwnAttributes.have(name, of: node.inode) else { throw Errno(ENODATA) }
        return try SystemCall.extendedAttribute(node.raw, name)
    }

    package func extendedAttributeNames(of node: NodeID) throws(Errno) -> [Name] {
        let node = try table.node(node)
        return try SystemCall.extendedAttributeNames(node.raw).map(Name.init(unchecked:)).filter { !OwnAttributes.have($0, of: node.inode) }
    }

    package func setExtendedAttribute(
        _ name: Name, of node: NodeID, value: [UInt8], flags: Int32, _ request: Request
    ) throws(Errno) {
        let node = try table.node(node)
        guard !OwnAttributes.have(name, of: node.inode) else { throw Errno(EPERM) }
        try logging(.setxattr, [node]) { () throws(Errno) in
            try SystemCall.setExtendedAttribute(node.raw, name, value, flags: flags)
            guard !node.isGoneLocked else { return ((), []) }
            // Read back: an access-control list may be stored otherwise than it was given, or as mode bits alone.
            let stored = try? SystemCall.extendedAttribute(node.raw, name)
            return (
                (),
                [
                    .extendedAttribute(node.inode, name: name, value: stored),
                    .attributes(node.inode, try node.status().attributes, isBorn: false),
                ]
            )
        }
    }

    package func removeExtendedAttribute(_ name: Name, of node: NodeID, _ request: Request) throws(Errno) {
        let node = try table.node(node)
        guard !OwnAttributes.have(name, of: node.inode) else { throw Errno(ENODATA) }
        try logging(.removexattr, [node]) { () throws(Errno) in
            try SystemCall.removeExtendedAttribute(node.raw, name)
            guard !node.isGoneLocked else { return ((), []) }
            return (
                (),
                [
                    .extendedAttribute(node.inode, name: name, value: nil),
                    .attributes(node.inode, try node.status().attributes, isBorn: false),
                ]
            )
        }
    }

    /// All of them, as the backing file has them.
    func extendedAttributes(of node: RecordedNode) throws(Errno) -> [(name: Name, value: [UInt8])] {
        let names: [[UInt8]]
        do throws(Errno) { names = try SystemCall.extendedAttributeNames(node.raw) } catch {
            if error.rawValue == EOPNOTSUPP || error.rawValue == EPERM { return [] }
            throw error
        }
        var result: [(name: Name, value: [UInt8])] = []
        for name in names {
            do throws(Errno) {
                result.append((Name(unchecked: name), try SystemCall.extendedAttribute(node.raw, name)))
            } catch {
                // Gone since it was listed, or not to be read by anybody (as some security attributes are).
                guard [ENODATA, EOPNOTSUPP, EPERM, EACCES].contains(error.rawValue) else { throw error }
            }
        }
        return result
    }
}

extension SystemCall.NewTime {
    init(_ time: AttributeChanges.Time?) {
        switch time {
        case nil: self = .unchanged
        case .now: self = .now
        case .at(let instant): self = .instant(instant)
        }
    }
}
