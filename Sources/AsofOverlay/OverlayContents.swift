package import AsofCore
internal import AsofView

/// Everything that an overlay holds, as its newest checkpoint has it: for readers beside the mount.
package struct OverlayContents {
    let state: OverlayTree.State
    let folder: String

    /// Reads the table in the overlay's folder; a mounted one is asked for a fresh one first.
    package init(folder: String) throws(AsofError) {
        try OverlayControl.checkpoint(folder)
        self.folder = folder
        var state = try OverlayFolder.table(at: folder).state
        state.removeGone()
        self.state = state
    }

    /// Bytes that a copy of the changes takes at most.
    package var changedBytes: UInt64 {
        state.nodes.values.reduce(0) { sum, node in sum &+ UInt64(clamping: node.covered.ranges.reduce(0) { $0 + $1.length }) &+ (node.isInView ? 0 : 4096) }
    }

    /// What an entry of the overlay stands for.
    struct Place {
        var path: [UInt8]
        var inode: InodeNumber
        /// What the view has under this name.
        var below: InodeNumber?
        var isChanged: Bool { below != inode }
    }

    /// All names that the overlay has something behind, folders before what is in them.
    func places(over view: View) throws(AsofError) -> [Place] {
        var result: [Place] = []
        var stack: [(inode: InodeNumber, path: [UInt8])] = [(.root, [])]
        var seen: Set<InodeNumber> = [.root]
        while let (directory, path) = stack.popLast() {
            let isInView = state.nodes[directory]?.isInView ?? true
            for (name, target) in (state.entries[directory] ?? [:]).sorted(by: { $0.key < $1.key }) {
                guard let target else { continue }
                let child = path.isEmpty ? name.bytes : path + [0x2F] + name.bytes
                result.append(Place(path: child, inode: target, below: isInView ? try view.entry(name, in: directory) : nil))
                // A folder has one name; a damaged table must not lead in a circle.
                if state.entries[target] != nil, seen.insert(target).inserted { stack.append((target, child)) }
            }
        }
        return result
    }

    /// Files of the view that changed and of whose names the overlay knows only ones that are gone: what they are still called, the view says
    /// alone. `placed`: what has a place.
    func nameless(besides placed: Set<InodeNumber>) -> [OverlayNode] {
        state.nodes.values.filter { $0.isInView && !$0.attributes.isDirectory && !placed.contains($0.inode) }.sorted { $0.inode < $1.inode }
    }

    /// Where they are now, each by one name. Looks through the whole tree, as far as it has to.
    func names(of nameless: Set<InodeNumber>, over view: View) throws(AsofError) -> [(inode: InodeNumber, path: [UInt8])] {
        var wanted = nameless
        var result: [(inode: InodeNumber, path: [UInt8])] = []
        var stack: [(inode: InodeNumber, path: [UInt8])] = [(.root, [])]
        var seen: Set<InodeNumber> = [.root]
        while !wanted.isEmpty, let (directory, path) = stack.popLast() {
            var names: [Name: InodeNumber] = [:]
            if directory < OverlayTree.firstNumber { for (name, inode) in try view.entries(of: directory) { names[name] = inode } }
            for (name, target) in state.entries[directory] ?? [:] { names[name] = target }
            for (name, inode) in names.sorted(by: { $0.key < $1.key }) {
                let child = path.isEmpty ? name.bytes : path + [0x2F] + name.bytes
                if wanted.remove(inode) != nil { result.append((inode, child)) }
                let attributes = if let node = state.nodes[inode] { node.attributes } else { try view.attributes(of: inode) }
                if attributes?.isDirectory == true, seen.insert(inode).inserted { stack.append((inode, child)) }
            }
        }
        return result
    }

    /// The view's folders that changed, moved or went, by the paths that they have there, each before what is in it.
    func foldersBelow(in view: View) throws(AsofError) -> [[UInt8]] {
        var result: [[UInt8]] = []
        var stack: [(inode: InodeNumber, path: [UInt8])] = [(.root, [])]
        var seen: Set<InodeNumber> = [.root]
        while let (directory, path) = stack.popLast() {
            for (name, target) in state.entries[directory] ?? [:] {
                guard let below = try view.entry(name, in: directory), state.nodes[below] != nil || target != below,
                    try view.attributes(of: below)?.isDirectory == true, seen.insert(below).inserted
                else { continue }
                let child = path.isEmpty ? name.bytes : path + [0x2F] + name.bytes
                result.append(child)
                stack.append((below, child))
            }
        }
        return result
    }

    /// A name of the view that means something else now, or nothing.
    struct Departure {
        /// Where it was in the view.
        var path: [UInt8]
        var inode: InodeNumber
        var depth: Int
    }

    /// Everything that left its place in the view, folders after what was in them.
    func departures(from view: View) throws(AsofError) -> [Departure] {
        var origins: [InodeNumber: (parent: InodeNumber, name: Name)] = [:]
        var left: [(parent: InodeNumber, name: Name, inode: InodeNumber)] = []
        for (parent, names) in state.entries where state.nodes[parent]?.isInView ?? (parent < OverlayTree.firstNumber) {
            for (name, target) in names {
                guard let below = try view.entry(name, in: parent) else { continue }
                origins[below] = (parent, name)
                if target != below { left.append((parent, name, below)) }
            }
        }
        var result: [Departure] = []
        for (parent, name, inode) in left {
            var parts = [name.bytes]
            var above = parent
            while above != .root {
                guard let place = origins[above], parts.count < 100_000 else {
                    throw AsofError(.damaged, "the table of the overlay in \(folder) does not say where a folder of the view was")
                }
                parts.append(place.name.bytes)
                above = place.parent
            }
            result.append(Departure(path: Array(parts.reversed().joined(separator: [0x2F])), inode: inode, depth: parts.count))
        }
        return result.sorted { $0.depth != $1.depth ? $0.depth > $1.depth : $0.path.lexicographicallyPrecedes($1.path) }
    }
}
