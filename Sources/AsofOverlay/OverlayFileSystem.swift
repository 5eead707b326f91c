package import AsofCore
package import AsofFileSystem
internal import AsofSystem
internal import Glibc

/// A view that can be changed: what differs from it is the overlay's.
///
/// A change: ask the view all that is needed; pass the gate; lock the names, then the nodes; journal what will be; then do it in memory. A
/// write locks its node only. Whatever is journaled is absolute, as in the capture's log.
package final class OverlayFileSystem: AsofFileSystem {
    package let isReadOnly = false
    let base: OverlayBase
    let store: OverlayStore
    var tree: OverlayTree { store.tree }
    private let folder: OverlayFolder
    private let control: OverlayControl

    /// Opens what the folder holds. `report`: what a client only sees as EIO or ENOSPC.
    package init(_ base: OverlayBase, _ folder: OverlayFolder, report: @escaping @Sendable (AsofError) -> Void) throws(AsofError) {
        self.base = base
        self.folder = folder
        store = try OverlayStore(folder, report: report)
        control = try OverlayControl(store, folder)
    }

    package var place: String { folder.path }
    /// The folder of changes that go with the mount; nil: they are kept.
    package var temporaryFolder: String? { folder.isTemporary ? folder.path : nil }

    /// Ends it after the mount is gone.
    package func stop() throws(AsofError) {
        control.stop()
        try store.stop()
    }

    // MARK: Nodes

    /// The attributes as they are now; ESTALE where there is no such node.
    func currentAttributes(of inode: InodeNumber) throws(Errno) -> Attributes {
        if let node = tree.node(inode) { return node.lock.withLock { _ in node.attributes } }
        guard let found = try base.attributes(of: inode) else { throw Errno(ESTALE) }
        return found
    }

    private func reply(_ inode: InodeNumber) throws(Errno) -> Node { try reply(inode, try currentAttributes(of: inode)) }

    /// To be called with no node locked: the view may be asked.
    func reply(_ inode: InodeNumber, _ attributes: Attributes) throws(Errno) -> Node {
        Node(id: inode.rawValue, inode: inode, attributes: try base.shown(attributes, of: inode), blocks: (attributes.size &+ 511) / 512)
    }

    /// The node of a file or directory that is about to change, made with all names on the way to it where the overlay lacks it: so what
    /// changed has a path in the overlay alone.
    func node(_ inode: InodeNumber, at place: OverlayTree.Place? = nil) throws(Errno) -> OverlayNode {
        // Names move meanwhile, but not for ever.
        for _ in 0..<1000 {
            if let node = tree.node(inode) { return node }
            // Asked before any lock is taken: the view may have to ask a store.
            var known: [InodeNumber: Attributes] = [:]
            for number in missing(inode, place).map(\.inode) { known[number] = try base.attributes(of: number) }
            let made = try store.changing { () throws(Errno) in
                try tree.state.withLock { state throws(Errno) -> OverlayNode? in
                    let chain = Self.missing(inode, place, state)
                    var operations: [Operation] = []
                    for (number, place) in chain.reversed() {
                        // Moved meanwhile: once more.
                        guard let attributes = known[number] else { return state.nodes[inode] }
                        operations.append(.attributes(number, attributes, isBorn: false))
                        if let place { operations.append(.entry(parent: place.parent, name: place.name, target: number)) }
                    }
                    try store.commit(.reconcile, operations)
                    for (number, place) in chain {
                        if let attributes = known[number] { state.nodes[number] = OverlayNode(number, attributes, isInView: true) }
                        if let place { state.set(place.name, in: place.parent, number) }
                    }
                    return state.nodes[inode]
                }
            }
            if let made { return made }
            guard try base.attributes(of: inode) != nil else { throw Errno(ESTALE) }
        }
        throw Errno(EIO)
    }

    private func missing(_ inode: InodeNumber, _ place: OverlayTree.Place?) -> [(inode: InodeNumber, place: OverlayTree.Place?)] {
        tree.state.withLock { Self.missing(inode, place, $0) }
    }

    /// The node and those on the way to it that the overlay does not have, upwards.
    private static func missing(
        _ inode: InodeNumber, _ place: OverlayTree.Place?, _ state: OverlayTree.State
    ) -> [(inode: InodeNumber, place: OverlayTree.Place?)] {
        var result: [(inode: InodeNumber, place: OverlayTree.Place?)] = []
        var (current, given) = (inode, place)
        while state.nodes[current] == nil {
            let found = given ?? state.held[current]?.place
            result.append((current, found))
            guard let found else { break }
            (current, given) = (found.parent, nil)
        }
        return result
    }

    // MARK: Look-ups

    /// What a name means now.
    func target(_ name: Name, in parent: InodeNumber) throws(Errno) -> InodeNumber? {
        let (known, isInView) = tree.state.withLock { ($0.entry(name, in: parent), $0.nodes[parent]?.isInView ?? true) }
        if let known { return known }
        return isInView ? try base.entry(name, in: parent) : nil
    }

    package func lookup(_ name: Name, in parent: NodeID, _ request: Request) throws(Errno) -> Node {
        let parent = InodeNumber(parent)
        guard let found = try target(name, in: parent) else { throw Errno(ENOENT) }
        let node = try reply(found)
        tree.hold(found, at: OverlayTree.Place(parent: parent, name: name))
        return node
    }

    package func forget(_ node: NodeID, count: UInt64) {
        let inode = InodeNumber(node)
        let gone = tree.state.withLock { state -> OverlayNode? in
            guard let uses = state.held[inode]?.uses else { return nil }
            if uses > count { state.held[inode]?.uses = uses - count } else { state.held[inode] = nil }
            return state.dropIfUnused(inode)
        }
        if let gone { store.discard(gone) }
    }

    package func attributes(of node: NodeID, handle: FileHandle?) throws(Errno) -> Node { try reply(InodeNumber(node)) }

    package func readSymbolicLink(_ node: NodeID) throws(Errno) -> [UInt8] {
        let inode = InodeNumber(node)
        if let node = tree.node(inode), let target = node.lock.withLock({ _ in node.target }) { return target }
        guard let target = try base.symbolicLink(inode) else { throw Errno(EINVAL) }
        return target
    }

    /// What is used is the overlay's, what is free is its disk's: a server sees a disk that is as full as this overlay makes it.
    package func statistics() throws(Errno) -> FileSystemStatistics {
        let space = try SystemCall.fileSystemStatus(folder.data.unmanaged)
        let used = min(space.blocks &- min(space.freeBlocks, space.blocks), store.bytesUsed / max(1, space.fragmentSize))
        return FileSystemStatistics(
            blockSize: space.fragmentSize, blocks: used &+ space.availableBlocks, blocksFree: space.availableBlocks,
            blocksAvailable: space.availableBlocks, files: space.files, filesFree: space.freeFiles, nameLengthMax: 255)
    }
}
