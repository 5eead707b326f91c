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

extension OverlayContents {
    /// The differences, sorted by path.
    package func differences(from view: View) throws(AsofError) -> [OverlayDifference] {
        let places = try places(over: view)
        let departures = try departures(from: view)
        // A file may have left several names; each is told once, as the origin of a rename or as removed.
        var left: [InodeNumber: [OverlayContents.Departure]] = [:]
        for departure in departures.reversed() { left[departure.inode, default: []].append(departure) }
        var result: [OverlayDifference] = []
        for place in places {
            var found = try difference(.added, place.inode, place.path, view)
            if place.isChanged {
                if let from = left[place.inode]?.popLast() {
                    found.change = .renamed
                    found.from = Self.text(from.path)
                }
                result.append(found)
                guard found.change == .renamed else { continue }
            }
            guard let node = state.nodes[place.inode], let change = try Self.change(node, view) else { continue }
            found.change = change
            found.from = nil
            result.append(found)
        }
        var nameless: [InodeNumber: OverlayDifference.Change] = [:]
        for node in self.nameless(besides: Set(places.map(\.inode))) { nameless[node.inode] = try Self.change(node, view) }
        for (inode, path) in try names(of: Set(nameless.keys), over: view) {
            if let change = nameless[inode] { result.append(try difference(change, inode, path, view)) }
        }
        for departure in left.values.joined() {
            let isDirectory = try view.attributes(of: departure.inode)?.isDirectory ?? false
            result.append(OverlayDifference(change: .removed, path: Self.text(departure.path), isDirectory: isDirectory))
        }
        return result.sorted { $0.path < $1.path }
    }

    private func difference(_ change: OverlayDifference.Change, _ inode: InodeNumber, _ path: [UInt8], _ view: View) throws(AsofError) -> OverlayDifference {
        let node = state.nodes[inode]
        let attributes = if let node { node.attributes } else { try view.attributes(of: inode) }
        var found = OverlayDifference(
            change: change, path: Self.text(path), isDirectory: attributes?.isDirectory ?? false, size: attributes?.isRegular == true ? attributes?.size : nil)
        if let node, attributes?.isRegular == true { found.changedBytes = UInt64(clamping: node.covered.ranges.reduce(0) { $0 + $1.length }) }
        return found
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
