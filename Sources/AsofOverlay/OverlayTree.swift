internal import AsofCore
internal import AsofFileSystem
internal import AsofSystem
internal import Glibc

/// The overlay's names and nodes, and which of all nodes the kernel holds.
///
/// Every change of names is made with `state` locked, nodes' locks taken inside it.
final class OverlayTree: Sendable {
    /// Where a node that the kernel holds was found.
    struct Place {
        var parent: InodeNumber
        var name: Name
    }

    struct State {
        var nodes: [InodeNumber: OverlayNode] = [:]
        /// By directory: what its names mean where that differs from the view, or leads to a difference; nil: gone.
        var entries: [InodeNumber: [Name: InodeNumber?]] = [:]
        /// What the kernel has looked up and not forgotten.
        var held: [InodeNumber: (uses: UInt64, place: Place)] = [:]
        var next = OverlayTree.firstNumber

        func entry(_ name: Name, in parent: InodeNumber) -> InodeNumber?? { entries[parent]?[name] }

        mutating func set(_ name: Name, in parent: InodeNumber, _ target: InodeNumber?) {
            entries[parent, default: [:]][name] = .some(target)
            if let target, held[target] != nil { held[target]?.place = Place(parent: parent, name: name) }
        }

        /// A name that means nothing, and that the view does not have either: nothing needs to be known of it.
        mutating func forget(_ name: Name, in parent: InodeNumber) {
            entries[parent]?[name] = nil
            if entries[parent]?.isEmpty == true { entries[parent] = nil }
        }

        /// A node without a name that nobody has open: it goes, and is given back.
        mutating func dropIfUnused(_ inode: InodeNumber) -> OverlayNode? {
            guard held[inode] == nil, let node = nodes[inode], node.isGone else { return nil }
            nodes[inode] = nil
            forgetEntries(of: node)
            return node
        }

        /// Takes in what an earlier life did.
        mutating func apply(_ operation: Operation) {
            switch operation {
            case .entry(let parent, let name, let target):
                if target == nil, nodes[parent]?.isInView == false { return forget(name, in: parent) }
                entries[parent, default: [:]][name] = .some(target)
            case .attributes(let inode, let attributes, let isBorn):
                if nodes[inode] == nil { nodes[inode] = OverlayNode(inode, attributes, isInView: !isBorn) }
                if inode >= next, inode <= OverlayTree.lastNumber { next = InodeNumber(inode.rawValue + 1) }
                nodes[inode]?.apply(operation)
            default: nodes[operation.inode]?.apply(operation)
            }
        }

        /// Nobody holds anything after a start: what has no name goes.
        mutating func removeGone() {
            for (inode, node) in nodes where node.isGone {
                nodes[inode] = nil
                forgetEntries(of: node)
            }
        }

        /// What was once in a folder of the view is kept: it says where things stood there that are elsewhere now.
        private mutating func forgetEntries(of node: OverlayNode) { if !node.isInView { entries[node.inode] = nil } }
    }

    /// Numbers of what was made here begin far above those of any view, and well below the 48 bits that a node number has for them.
    static let firstNumber = InodeNumber(1 << 46)
    static let lastNumber = InodeNumber(1 << 48 - 2)

    let state: Lock<State>

    init(_ state: State) { self.state = Lock(state) }

    func node(_ inode: InodeNumber) -> OverlayNode? { state.withLock { $0.nodes[inode] } }

    func hold(_ inode: InodeNumber, at place: Place) {
        guard inode != .root else { return }
        state.withLock { $0.held[inode, default: (0, place)].uses += 1 }
    }
}
