internal import AsofCore
internal import AsofSystem
internal import AsofWeaviate

/// The directory as the log has it: names, attributes, and what is needed to tell what changed. One thread's.
struct KnownTree {
    /// One file or directory.
    struct Node {
        var handle: StableHandle
        var attributes: Attributes
        var kind: DataFileKind
        /// How many of its names are in the tree.
        var names: Int
        /// One of the places where it is; enough for a path.
        var parent: InodeNumber
        var name: Name
        /// What the log has of its bytes, as far as its kind needs that.
        var digests: ContentDigests?
        var extendedAttributes: [Name: [UInt8]] = [:]
    }

    private(set) var nodes: [InodeNumber: Node] = [:]
    private(set) var entries: [InodeNumber: [Name: InodeNumber]] = [:]
    private var numbers: [StableHandle: InodeNumber] = [:]
    /// The highest number that was ever given.
    private(set) var highest: InodeNumber

    init(highest: InodeNumber) { self.highest = max(highest, .root) }

    subscript(inode: InodeNumber) -> Node? { nodes[inode] }

    func number(of handle: StableHandle) -> InodeNumber? { numbers[handle] }

    /// A number that no file ever had.
    mutating func nextNumber() -> InodeNumber {
        highest = InodeNumber(highest.rawValue + 1)
        return highest
    }

    /// From the root down; nil where the tree has no way there.
    func path(of inode: InodeNumber) -> [Name]? {
        var path: [Name] = []
        var current = inode
        // Deeper than the kernel's longest path: a ring, which moving directories within one tick can leave for a moment.
        while current != .root {
            guard path.count < 4096, let node = nodes[current] else { return nil }
            path.append(node.name)
            current = node.parent
        }
        return path.reversed()
    }

    // MARK: Changing

    mutating func add(_ inode: InodeNumber, _ node: Node) {
        nodes[inode] = node
        numbers[node.handle] = inode
        if node.attributes.isDirectory { entries[inode] = entries[inode] ?? [:] }
    }

    mutating func update(_ inode: InodeNumber, _ change: (inout Node) -> Void) {
        guard var node = nodes.removeValue(forKey: inode) else { return }
        change(&node)
        nodes[inode] = node
    }

    /// `name` in `parent` means `target` from now on. Returns what it meant before.
    @discardableResult
    mutating func setEntry(_ parent: InodeNumber, _ name: Name, _ target: InodeNumber?) -> InodeNumber? {
        let before = entries[parent]?[name]
        entries[parent, default: [:]][name] = target
        if let before { nodes[before]?.names -= 1 }
        if let target {
            nodes[target]?.names += 1
            nodes[target]?.parent = parent
            nodes[target]?.name = name
        }
        return before
    }

    mutating func remove(_ inode: InodeNumber) {
        if let node = nodes.removeValue(forKey: inode), numbers[node.handle] == inode { numbers[node.handle] = nil }
        entries[inode] = nil
    }
}
