package import AsofCore
package import AsofFileSystem
internal import AsofSystem
internal import Glibc

extension OverlayFileSystem {
    /// One change of names: with all names locked and then `nodes`. `plan` says what will be; it is journaled, then done. `ownName`: one that the
    /// view does not have.
    private func change<Value>(
        _ verb: Verb, _ nodes: [OverlayNode], ownName: OverlayTree.Place? = nil, _ plan: (inout OverlayTree.State) throws(Errno) -> (value: Value, operations: [Operation], born: (node: OverlayNode, place: OverlayTree.Place)?)
    ) throws(Errno) -> Value {
        try store.changing { () throws(Errno) in
            try tree.state.withLock { state throws(Errno) in
                try OverlayNode.locking(nodes) { () throws(Errno) in
                    let planned = try plan(&state)
                    guard !planned.operations.isEmpty else { return planned.value }
                    try store.commit(verb, planned.operations)
                    if let born = planned.born {
                        state.nodes[born.node.inode] = born.node
                        // Held before anybody else can remove it.
                        state.held[born.node.inode] = (1, born.place)
                    }
                    for operation in planned.operations {
                        if case .entry(let parent, let name, let target) = operation {
                            state.set(name, in: parent, target)
                            if target == nil, let ownName, ownName.parent == parent, ownName.name == name { state.forget(name, in: parent) }
                        } else if let node = state.nodes[operation.inode] {
                            store.done([operation], node)
                        }
                    }
                    for node in nodes where node.isGone { if let gone = state.dropIfUnused(node.inode) { store.discard(gone) } }
                    return planned.value
                }
            }
        }
    }

    /// What a name means, `below` being what the view says of it.
    private static func target(_ name: Name, in directory: OverlayNode, below: InodeNumber?, _ state: OverlayTree.State) -> InodeNumber? {
        if let known = state.entry(name, in: directory.inode) { return known }
        return below
    }

    private func below(_ name: Name, in directory: OverlayNode) throws(Errno) -> InodeNumber? {
        directory.isInView ? try base.entry(name, in: directory.inode) : nil
    }

    /// The directory's attributes when its names have changed.
    private static func touched(_ directory: OverlayNode, _ now: Instant, subdirectories: Int = 0) -> Attributes {
        var attributes = directory.attributes
        attributes.modified = now
        attributes.changed = now
        if subdirectories != 0 { attributes.links = UInt32(clamping: max(2, Int(attributes.links) + subdirectories)) }
        return attributes
    }

    // MARK: Making

    private func make(
        _ verb: Verb, _ name: Name, in parent: NodeID, mode: UInt32, device: UInt64 = 0, target: [UInt8]? = nil, _ request: Request
    ) throws(Errno) -> Node {
        let directory = try node(InodeNumber(parent))
        let below = try below(name, in: directory)
        let inherited = try reply(directory.inode, try currentAttributes(of: directory.inode)).attributes.group
        let made = try change(verb, [directory]) { state throws(Errno) in
            guard directory.attributes.isDirectory else { throw Errno(ENOTDIR) }
            // A removed directory that is still open takes nothing new.
            guard !directory.isGone else { throw Errno(ENOENT) }
            guard Self.target(name, in: directory, below: below, state) == nil else { throw Errno(EEXIST) }
            guard state.next <= OverlayTree.lastNumber else { throw Errno(ENOSPC) }
            let now = SystemClock.now()
            // Group and set-group-id bit follow the directory's.
            let inherits = directory.attributes.mode & 0o2000 != 0
            let isDirectory = mode & 0o170000 == 0o040000
            let attributes = Attributes(
                mode: inherits && isDirectory ? mode | 0o2000 : mode, links: isDirectory ? 2 : 1, owner: request.user,
                group: inherits ? inherited : request.group,
                size: isDirectory ? 4096 : UInt64(target?.count ?? 0), device: device, modified: now, changed: now)
            let node = OverlayNode(state.next, attributes, isInView: false)
            state.next = InodeNumber(node.inode.rawValue + 1)
            var operations: [Operation] = [
                .attributes(node.inode, attributes, isBorn: true),
                .entry(parent: directory.inode, name: name, target: node.inode),
                .attributes(directory.inode, Self.touched(directory, now, subdirectories: isDirectory ? 1 : 0), isBorn: false),
            ]
            if let target { operations.append(.symbolicLink(node.inode, target: target)) }
            return (node, operations, (node, OverlayTree.Place(parent: directory.inode, name: name)))
        }
        return try reply(made.inode, made.lock.withLock { _ in made.attributes })
    }

    package func makeNode(_ name: Name, in parent: NodeID, mode: UInt32, device: UInt64, _ request: Request) throws(Errno) -> Node {
        try make(.mknod, name, in: parent, mode: mode, device: device, request)
    }

    package func makeDirectory(_ name: Name, in parent: NodeID, mode: UInt32, _ request: Request) throws(Errno) -> Node {
        try make(.mkdir, name, in: parent, mode: mode & 0o7777 | 0o040000, request)
    }

    package func makeSymbolicLink(_ name: Name, in parent: NodeID, target: [UInt8], _ request: Request) throws(Errno) -> Node {
        try make(.symlink, name, in: parent, mode: 0o120777, target: target, request)
    }

    package func create(
        _ name: Name, in parent: NodeID, mode: UInt32, flags: Int32, _ request: Request
    ) throws(Errno) -> (Node, FileHandle) {
        do throws(Errno) { return (try make(.create, name, in: parent, mode: mode & 0o7777 | 0o100000, request), 0) } catch {
            // Somebody made it between the kernel's look-up and now; without O_EXCL that is as good.
            guard error.rawValue == EEXIST, flags & O_EXCL == 0 else { throw error }
            return (try lookup(name, in: parent, request), 0)
        }
    }

    package func link(_ node: NodeID, as name: Name, in parent: NodeID, _ request: Request) throws(Errno) -> Node {
        let node = try self.node(InodeNumber(node))
        let directory = try self.node(InodeNumber(parent))
        let below = try below(name, in: directory)
        let linked = try change(.link, [directory, node]) { state throws(Errno) in
            guard !directory.isGone, !node.isGone else { throw Errno(ENOENT) }
            guard !node.attributes.isDirectory else { throw Errno(EPERM) }
            guard Self.target(name, in: directory, below: below, state) == nil else { throw Errno(EEXIST) }
            guard node.attributes.links < 65_000 else { throw Errno(EMLINK) }
            let now = SystemClock.now()
            var attributes = node.attributes
            attributes.links += 1
            attributes.changed = now
            return (
                attributes,
                [
                    .entry(parent: directory.inode, name: name, target: node.inode), .attributes(node.inode, attributes, isBorn: false),
                    .attributes(directory.inode, Self.touched(directory, now), isBorn: false),
                ], nil
            )
        }
        tree.hold(node.inode, at: OverlayTree.Place(parent: directory.inode, name: name))
        return try reply(node.inode, linked)
    }

    // MARK: Removing

    package func unlink(_ name: Name, in parent: NodeID, _ request: Request) throws(Errno) {
        try remove(.unlink, name, in: parent)
    }

    package func removeDirectory(_ name: Name, in parent: NodeID, _ request: Request) throws(Errno) {
        try remove(.rmdir, name, in: parent)
    }

    private func remove(_ verb: Verb, _ name: Name, in parent: NodeID) throws(Errno) {
        let directory = try node(InodeNumber(parent))
        let below = try below(name, in: directory)
        guard let found = try target(name, in: directory.inode) else { throw Errno(ENOENT) }
        let node = try self.node(found, at: OverlayTree.Place(parent: directory.inode, name: name))
        let namesBelow = node.isInView && verb == .rmdir ? try base.entries(of: node.inode).map(\.name) : []
        let ownName = below == nil ? OverlayTree.Place(parent: directory.inode, name: name) : nil
        try change(verb, [directory, node], ownName: ownName) { state throws(Errno) in
            guard Self.target(name, in: directory, below: below, state) == node.inode else { throw Errno(ENOENT) }
            let isDirectory = node.attributes.isDirectory
            guard isDirectory == (verb == .rmdir) else { throw Errno(isDirectory ? EISDIR : ENOTDIR) }
            if isDirectory, !Self.isEmpty(node, namesBelow, state) { throw Errno(ENOTEMPTY) }
            let now = SystemClock.now()
            return (
                (),
                [
                    .entry(parent: directory.inode, name: name, target: nil), .attributes(node.inode, Self.unlinked(node, now), isBorn: false),
                    .attributes(directory.inode, Self.touched(directory, now, subdirectories: isDirectory ? -1 : 0), isBorn: false),
                ], nil
            )
        }
    }

    /// `names`: those that the view has in the directory.
    private static func isEmpty(_ directory: OverlayNode, _ names: [Name], _ state: OverlayTree.State) -> Bool {
        let own = state.entries[directory.inode] ?? [:]
        return own.values.allSatisfy { $0 == nil } && names.allSatisfy { own[$0] != nil }
    }

    private static func unlinked(_ node: OverlayNode, _ now: Instant) -> Attributes {
        var attributes = node.attributes
        attributes.links = attributes.isDirectory ? 0 : attributes.links - min(1, attributes.links)
        attributes.changed = now
        return attributes
    }

    // MARK: Renaming

    package func rename(
        _ name: Name, in parent: NodeID, to newName: Name, in newParent: NodeID, flags: UInt32, _ request: Request
    ) throws(Errno) {
        let options = SystemCall.RenameFlags(rawValue: flags)
        guard options.isSubset(of: [.noReplace, .exchange]), options != [.noReplace, .exchange] else { throw Errno(EINVAL) }
        let isExchange = options.contains(.exchange)
        let from = try node(InodeNumber(parent))
        let to = try node(InodeNumber(newParent))
        let (belowOld, belowNew) = (try below(name, in: from), try below(newName, in: to))
        guard let found = try target(name, in: from.inode) else { throw Errno(ENOENT) }
        let moved = try node(found, at: OverlayTree.Place(parent: from.inode, name: name))
        let other = try target(newName, in: to.inode).map { number throws(Errno) in
            try node(number, at: OverlayTree.Place(parent: to.inode, name: newName))
        }
        let namesBelow = try other.map { other throws(Errno) in
            other.isInView && !isExchange && other.lock.withLock { _ in other.attributes.isDirectory } ? try base.entries(of: other.inode).map(\.name) : []
        } ?? []
        let ownName = belowOld == nil ? OverlayTree.Place(parent: from.inode, name: name) : nil
        try change(isExchange ? .exchange : .rename, [from, to, moved] + (other.map { [$0] } ?? []), ownName: ownName) { state throws(Errno) in
            guard Self.target(name, in: from, below: belowOld, state) == moved.inode else { throw Errno(ENOENT) }
            guard Self.target(newName, in: to, below: belowNew, state) == other?.inode else { throw Errno(EAGAIN) }
            guard !to.isGone else { throw Errno(ENOENT) }
            if isExchange, other == nil { throw Errno(ENOENT) }
            if options.contains(.noReplace), other != nil { throw Errno(EEXIST) }
            // Two names of one file: rename(2) does nothing.
            if other === moved { return ((), [], nil) }
            let isDirectory = moved.attributes.isDirectory
            if let other, !isExchange {
                guard isDirectory == other.attributes.isDirectory else { throw Errno(isDirectory ? ENOTDIR : EISDIR) }
                if isDirectory, !Self.isEmpty(other, namesBelow, state) { throw Errno(ENOTEMPTY) }
            }
            let now = SystemClock.now()
            func renamed(_ node: OverlayNode) -> Operation {
                var attributes = node.attributes
                attributes.changed = now
                return .attributes(node.inode, attributes, isBorn: false)
            }
            var operations: [Operation] = [
                .entry(parent: from.inode, name: name, target: isExchange ? other?.inode : nil),
                .entry(parent: to.inode, name: newName, target: moved.inode), renamed(moved),
            ]
            // Subdirectories that the two directories gain.
            var (gainOld, gainNew) = (isDirectory ? -1 : 0, isDirectory ? 1 : 0)
            if let other {
                if isExchange {
                    operations.append(renamed(other))
                    if other.attributes.isDirectory { (gainOld, gainNew) = (gainOld + 1, gainNew - 1) }
                } else {
                    operations.append(.attributes(other.inode, Self.unlinked(other, now), isBorn: false))
                    if isDirectory { gainNew -= 1 }
                }
            }
            if from === to {
                operations.append(.attributes(from.inode, Self.touched(from, now, subdirectories: gainOld + gainNew), isBorn: false))
            } else {
                operations.append(.attributes(from.inode, Self.touched(from, now, subdirectories: gainOld), isBorn: false))
                operations.append(.attributes(to.inode, Self.touched(to, now, subdirectories: gainNew), isBorn: false))
            }
            return ((), operations, nil)
        }
    }
}
