internal import AsofCore
internal import AsofFileSystem
internal import AsofSystem
internal import AsofView
internal import Glibc

/// Which number each file of the backing directory has, and the nodes that are in use.
///
/// Locking: `identities` and `nodes` are never held together, and no node's lock is taken inside either.
final class NodeTable: Sendable {
    private struct Identities {
        var numbers: [BackingIdentity: InodeNumber] = [:]
        var next: InodeNumber
        /// Numbers given since the start to files that were there already, and not yet compared with the log.
        var unsettled: Set<InodeNumber> = []
        /// Numbers that the log knew at the start and that were found again; emptied when the comparison is over.
        var found: Set<InodeNumber> = []
        /// Found by a look-up before the comparison came to them.
        var discovered: [RecordedNode] = []
        /// The directory as the log had it at the start; nil once everything is compared.
        var known: View?
    }

    private struct Entry {
        var node: RecordedNode
        /// Look-ups that the kernel has not forgotten, and uses by us. While there is one, the inode has this one node: two would
        /// have two locks.
        var uses: UInt64
    }

    private let identities: Lock<Identities>
    private let nodes = Lock<[InodeNumber: Entry]>([:])
    let root: RecordedNode

    /// `known`: what the log says of the directory; nil: nothing.
    init(root descriptor: SharedDescriptor, known: View?, highestInode: InodeNumber) throws(Errno) {
        let status = try SystemCall.status(descriptor.unmanaged)
        let identity = BackingIdentity(status)
        root = RecordedNode(inode: .root, identity: identity, descriptor: descriptor, isDirectory: true)
        var start = Identities(next: InodeNumber(max(highestInode, .root).rawValue + 1), known: known)
        start.numbers[identity] = .root
        start.unsettled.insert(.root)
        start.found.insert(.root)
        start.discovered.append(root)
        identities = Lock(start)
        nodes.withLock { $0[.root] = Entry(node: root, uses: 1) }
    }

    func node(_ id: NodeID) throws(Errno) -> RecordedNode {
        if id == InodeNumber.root.rawValue { return root }
        guard let node = nodes.withLock({ $0[InodeNumber(id)]?.node }) else { throw Errno(ESTALE) }
        return node
    }

    /// The node that `name` in `parent` means now, used once more: the kernel forgets it, or `forget` gives it back.
    func resolve(_ name: Name, in parent: RecordedNode) throws(Errno) -> (node: RecordedNode, status: FileStatus) {
        guard !Self.isLeftOut(name, in: parent) else { throw Errno(ENOENT) }
        let descriptor = SharedDescriptor(try SystemCall.open(at: parent.raw, name, SystemCall.O_PATH | O_NOFOLLOW))
        let status = try SystemCall.status(descriptor.unmanaged)
        let identity = BackingIdentity(status)
        let (inode, isNew) = try number(identity, status.attributes, name, in: parent.inode)
        let fresh = RecordedNode(
            inode: inode, identity: identity, descriptor: descriptor, isDirectory: status.attributes.isDirectory)
        let node = use(fresh)
        if isNew {
            retain(node)
            identities.withLock { $0.discovered.append(node) }
        }
        return (node, status)
    }

    /// What a restore in place keeps beside the directory's own entries: nobody sees it through the mount.
    static func isLeftOut(_ name: Name, in parent: RecordedNode) -> Bool { parent.inode == .root && HiddenName.isLeftOut(name) }

    /// The number of a file that is there; given now when it has none.
    private func number(
        _ identity: BackingIdentity, _ attributes: Attributes, _ name: Name, in parent: InodeNumber
    ) throws(Errno) -> (InodeNumber, isNew: Bool) {
        let (given, known) = identities.withLock { ($0.numbers[identity], $0.known) }
        if let given { return (given, false) }
        // What the log called this name; asked outside the lock, since it may read the repository.
        var candidate: InodeNumber?
        do throws(AsofError) {
            if let found = try known?.entry(name, in: parent), let old = try known?.attributes(of: found), old.kind == attributes.kind {
                candidate = found
            }
        } catch {
            throw Errno(EIO)
        }
        return identities.withLock { identities in
            if let given = identities.numbers[identity] { return (given, false) }
            let number: InodeNumber
            if let candidate, !identities.found.contains(candidate) {
                number = candidate
                identities.found.insert(candidate)
            } else {
                number = identities.next
                identities.next = InodeNumber(number.rawValue + 1)
            }
            identities.numbers[identity] = number
            identities.unsettled.insert(number)
            return (number, true)
        }
    }

    /// The node that the table has for the inode, or `fresh` from now on; used once more.
    private func use(_ fresh: RecordedNode) -> RecordedNode {
        nodes.withLock { nodes in
            nodes[fresh.inode, default: Entry(node: fresh, uses: 0)].uses += 1
            return nodes[fresh.inode]?.node ?? fresh
        }
    }

    /// A file that was just made through the mount: a number never used before. Used once.
    func add(_ descriptor: SharedDescriptor, _ status: FileStatus) -> RecordedNode {
        let identity = BackingIdentity(status)
        let inode = identities.withLock { identities in
            defer { identities.next = InodeNumber(identities.next.rawValue + 1) }
            identities.numbers[identity] = identities.next
            return identities.next
        }
        return use(
            RecordedNode(inode: inode, identity: identity, descriptor: descriptor, isDirectory: status.attributes.isDirectory))
    }

    /// The last name is gone; the backing file system may give the identity to another file once nobody has this one open.
    func remove(_ node: RecordedNode) {
        identities.withLock { identities in
            identities.numbers[node.identity] = nil
            identities.unsettled.remove(node.inode)
        }
    }

    /// The number of a backing file, where it has one.
    func number(of identity: BackingIdentity) -> InodeNumber? { identities.withLock { $0.numbers[identity] } }

    /// One use more.
    func retain(_ node: RecordedNode) { _ = use(node) }

    /// One use less.
    func release(_ node: RecordedNode) { forget(node.inode.rawValue, count: 1) }

    func forget(_ id: NodeID, count: UInt64) {
        let inode = InodeNumber(id)
        guard inode != .root else { return }
        let dropped: RecordedNode? = nodes.withLock { nodes in
            guard var entry = nodes[inode] else { return nil }
            entry.uses -= min(entry.uses, count)
            nodes[inode] = entry.uses == 0 ? nil : entry
            // Given back so that the descriptor is closed outside the lock.
            return entry.node
        }
        _ = dropped
    }

    // MARK: Comparing with the log

    /// Nodes that were found by look-ups, to be compared; each is used once for the caller.
    func takeDiscovered() -> [RecordedNode] {
        identities.withLock { identities in
            defer { identities.discovered = [] }
            return identities.discovered
        }
    }

    func isUnsettled(_ inode: InodeNumber) -> Bool { identities.withLock { $0.unsettled.contains(inode) } }
    func settle(_ inode: InodeNumber) { identities.withLock { _ = $0.unsettled.remove(inode) } }
    func wasFound(_ inode: InodeNumber) -> Bool { identities.withLock { $0.found.contains(inode) } }

    /// Ends the comparison if nothing waits for it any more.
    func finishComparison() -> Bool {
        identities.withLock { identities in
            guard identities.discovered.isEmpty else { return false }
            identities.known = nil
            identities.found = []
            identities.unsettled = []
            return true
        }
    }
}
