internal import AsofCore
internal import AsofFileSystem
internal import Glibc

/// Everything of a `MemoryFileSystem`, used under its lock.
struct MemoryState {
    var nodes: [NodeID: MemoryNode] = [:]
    var handles: [FileHandle: MemoryNode] = [:]
    var counts: [MemoryFileSystem.Call: Int] = [:]
    var privilegeClearings = 0
    private var lastNode: NodeID = 1
    private var lastHandle: FileHandle = 0

    init() {
        let root = MemoryNode(id: 1, mode: 0o040755, owner: geteuid(), group: getegid())
        root.links = 2
        root.parent = 1
        nodes[1] = root
    }

    func node(_ id: NodeID) throws(Errno) -> MemoryNode {
        guard let node = nodes[id] else { throw Errno(ESTALE) }
        return node
    }

    func directory(_ id: NodeID) throws(Errno) -> MemoryNode {
        let node = try node(id)
        guard node.kind == .directory else { throw Errno(ENOTDIR) }
        return node
    }

    func file(_ handle: FileHandle) throws(Errno) -> MemoryNode {
        guard let node = handles[handle] else { throw Errno(EBADF) }
        return node
    }

    mutating func open(_ node: MemoryNode) -> FileHandle {
        lastHandle += 1
        handles[lastHandle] = node
        node.opens += 1
        return lastHandle
    }

    /// The node as a reply gives it away, with one more reference.
    func referenced(_ id: NodeID) throws(Errno) -> Node {
        let node = try node(id)
        node.lookups += 1
        return node.description
    }

    /// A node that no name, no reference and no handle leads to is gone.
    mutating func dropIfUnused(_ node: MemoryNode) {
        if node.links == 0, node.lookups == 0, node.opens == 0, node.id != 1 { nodes[node.id] = nil }
    }

    /// A new node under a name. Group and set-group-id bit follow the directory's, as on Linux.
    mutating func make(_ name: Name, in parent: NodeID, mode: UInt32, _ request: Request) throws(Errno) -> MemoryNode {
        let directory = try directory(parent)
        let inherits = directory.mode & 0o2000 != 0
        let node = MemoryNode(
            id: lastNode + 1, mode: mode, owner: request.user, group: inherits ? directory.group : request.group)
        if inherits, node.kind == .directory { node.mode |= 0o2000 }
        try add(name, in: parent, node)
        lastNode += 1
        nodes[node.id] = node
        if node.kind == .directory { node.links = 2 }
        return node
    }

    func add(_ name: Name, in parent: NodeID, _ node: MemoryNode) throws(Errno) {
        let directory = try directory(parent)
        // A removed directory that is still open takes nothing new.
        if directory.links == 0 { throw Errno(ENOENT) }
        guard directory.directory.id(of: name) == nil else { throw Errno(EEXIST) }
        attach(node, as: name, to: directory)
        node.links += 1
    }

    private func attach(_ node: MemoryNode, as name: Name, to directory: MemoryNode) {
        directory.directory.add(name, node.id)
        directory.touch()
        guard node.kind == .directory else { return }
        node.parent = directory.id
        directory.links += 1
    }

    private func detach(_ node: MemoryNode, _ name: Name, from directory: MemoryNode) {
        directory.directory.remove(name)
        directory.touch()
        if node.kind == .directory { directory.links -= 1 }
    }

    mutating func remove(_ name: Name, in parent: NodeID, isDirectory: Bool) throws(Errno) {
        let directory = try directory(parent)
        guard let id = directory.directory.id(of: name) else { throw Errno(ENOENT) }
        let node = try node(id)
        if isDirectory {
            guard node.kind == .directory else { throw Errno(ENOTDIR) }
            guard node.directory.isEmpty else { throw Errno(ENOTEMPTY) }
        } else if node.kind == .directory {
            throw Errno(EISDIR)
        }
        detach(node, name, from: directory)
        unlinked(node)
    }

    private mutating func unlinked(_ node: MemoryNode) {
        node.links = node.kind == .directory ? 0 : node.links - 1
        node.changed = now()
        dropIfUnused(node)
    }

    mutating func rename(
        _ name: Name, in parent: NodeID, to newName: Name, in newParent: NodeID, flags: UInt32
    ) throws(Errno) {
        guard flags & ~3 == 0, flags != 3 else { throw Errno(EINVAL) }
        let from = try directory(parent)
        let to = try directory(newParent)
        guard let id = from.directory.id(of: name) else { throw Errno(ENOENT) }
        let moved = try node(id)
        let replaced = try to.directory.id(of: newName).map { (id) throws(Errno) in try node(id) }
        if flags & 2 != 0 {
            guard let replaced else { throw Errno(ENOENT) }
            detach(moved, name, from: from)
            detach(replaced, newName, from: to)
            attach(replaced, as: name, to: from)
            attach(moved, as: newName, to: to)
            replaced.changed = now()
        } else {
            if let replaced {
                if flags & 1 != 0 { throw Errno(EEXIST) }
                if replaced === moved { return }
                if moved.kind == .directory, replaced.kind != .directory { throw Errno(ENOTDIR) }
                if moved.kind != .directory, replaced.kind == .directory { throw Errno(EISDIR) }
                if replaced.kind == .directory, !replaced.directory.isEmpty { throw Errno(ENOTEMPTY) }
                detach(replaced, newName, from: to)
                unlinked(replaced)
            }
            detach(moved, name, from: from)
            attach(moved, as: newName, to: to)
        }
        moved.changed = now()
    }

    /// `.`, `..`, then the names in the order they were made.
    func entries(of directory: MemoryNode, after cookie: UInt64) -> [DirectoryEntry] {
        var entries: [DirectoryEntry] = []
        if cookie < 1 { entries.append(entry([0x2E], directory.id, cookie: 1)) }
        if cookie < 2 { entries.append(entry([0x2E, 0x2E], directory.parent, cookie: 2)) }
        for (name, id, position) in directory.directory.entries(after: cookie) {
            entries.append(entry(name.bytes, id, cookie: position))
        }
        return entries
    }

    private func entry(_ name: [UInt8], _ id: NodeID, cookie: UInt64) -> DirectoryEntry {
        DirectoryEntry(name: name, inode: InodeNumber(id), mode: (nodes[id]?.mode ?? 0) & 0o170000, cookie: cookie)
    }
}
