package import AsofCore
package import AsofView
internal import AsofSystem

/// What an overlay changes in its view, by path: for people and programs.
package struct OverlayDifference: Codable, Sendable {
    package enum Change: String, Codable, Sendable {
        case added, removed, renamed, content, attributes
    }

    package var change: Change
    /// As it is now; of what was removed: as it was.
    package var path: String
    /// Where it was before; of what was renamed.
    package var from: String?
    package var isDirectory: Bool
    /// Bytes; of files that are there.
    package var size: UInt64?
    /// Bytes that are the overlay's own.
    package var changedBytes: UInt64?
}

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

    /// The differences, sorted by path.
    package func differences(from view: View) throws(AsofError) -> [OverlayDifference] {
        let places = try places(over: view)
        let departures = try departures(from: view)
        var origin: [InodeNumber: [UInt8]] = [:]
        for departure in departures { origin[departure.inode] = departure.path }
        var result: [OverlayDifference] = []
        var stays: Set<InodeNumber> = []
        for place in places {
            let node = state.nodes[place.inode]
            let attributes = if let node { node.attributes } else { try view.attributes(of: place.inode) }
            var found = OverlayDifference(
                change: .added, path: Self.text(place.path), isDirectory: attributes?.isDirectory ?? false,
                size: attributes?.isRegular == true ? attributes?.size : nil)
            if let node, attributes?.isRegular == true { found.changedBytes = UInt64(clamping: node.covered.ranges.reduce(0) { $0 + $1.length }) }
            if place.isChanged {
                if let from = origin[place.inode], stays.insert(place.inode).inserted {
                    found.change = .renamed
                    found.from = Self.text(from)
                }
                result.append(found)
                guard found.change == .renamed else { continue }
            }
            guard let node, let change = try Self.change(node, view) else { continue }
            found.change = change
            found.from = nil
            result.append(found)
        }
        for departure in departures where !stays.contains(departure.inode) {
            let isDirectory = try view.attributes(of: departure.inode)?.isDirectory ?? false
            result.append(OverlayDifference(change: .removed, path: Self.text(departure.path), isDirectory: isDirectory))
        }
        return result.sorted { $0.path < $1.path }
    }

    /// What else than names is different of a file or folder that the view has, too.
    private static func change(_ node: OverlayNode, _ view: View) throws(AsofError) -> OverlayDifference.Change? {
        guard node.isInView, let before = try view.attributes(of: node.inode) else { return nil }
        let now = node.attributes
        if now.isRegular, !node.covered.isEmpty || !node.erased.isEmpty || now.size != before.size { return .content }
        // A folder's times change with its names, and those are told by themselves.
        let isSame = now.mode == before.mode && now.owner == before.owner && now.group == before.group && node.extended.isEmpty
        return isSame && (now.isDirectory || now.modified == before.modified) ? nil : .attributes
    }

    private static func text(_ path: [UInt8]) -> String { String(decoding: path, as: UTF8.self) }
}
