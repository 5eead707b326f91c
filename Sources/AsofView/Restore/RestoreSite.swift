package import AsofCore
internal import AsofFrame
internal import AsofSystem

/// Where a restore is to stand, and what the folders are called in which it takes shape.
///
/// Beside the target, which is made by a rename: `TARGET.asof-restoring-ID`. In place, for a directory that cannot be renamed:
/// `TARGET/.asof-restoring-ID`, which at the end is `TARGET/.asof-replaced-TIME` and keeps what was there before.
package struct RestoreSite: Hashable, Sendable {
    /// Absolute, without links.
    package var target: String
    package var isInPlace: Bool

    package init(_ target: String, isInPlace: Bool) {
        self.target = target
        self.isInPlace = isInPlace
    }

    /// Whose file system takes the bytes.
    package var parent: String { isInPlace ? target : RestoreFolder.parent(of: target) }

    package func path(repository: String) -> String { prefix + HiddenName.restoring + repository.prefix(8) }

    /// What a restore beside its target is called once the target stands, until it is cleared away; it says of which state, and whether a mount's
    /// changes are in it, by a digest: timelines of one parent number their transactions alike, and a name has 255 bytes at most.
    package func endedPath(repository: String, timeline: String, lsn: LSN, isPromotion: Bool) -> String {
        let digest = SHA256Hasher.hash(Array("\(isPromotion ? "promote" : "restore") \(repository) \(timeline) \(lsn.rawValue)".utf8))
        return "\(prefix)\(HiddenName.restored)\(Hex.encode(Array(digest.prefix(8))))"
    }

    /// Bytes that the names of a restore's folders have more than the target's.
    package static let nameAddition = HiddenName.restored.utf8.count + 16

    /// Folders of restores to the target that were begun and have not ended.
    package func begun() -> [String] {
        let begun = folders(HiddenName.restoring)
        // Without the state there is nothing left to do in them.
        return isInPlace ? begun + replaced().filter(RestoreFolder.hasState(at:)) : begun
    }

    /// Those that ended but for being cleared away.
    package func ended() -> [String] { isInPlace ? [] : folders(HiddenName.restored) }

    /// In place: folders that hold what was there before.
    package func replaced() -> [String] { isInPlace ? folders(HiddenName.replaced) : [] }

    private var prefix: String { isInPlace ? "\(target)/" : target }

    private func folders(_ marker: String) -> [String] {
        let start = prefix.utf8.dropFirst(parent == "/" ? 1 : parent.utf8.count + 1)
        guard let reader = try? DirectoryReader(parent) else { return [] }
        var found: [String] = []
        while let entry = try? reader.next() {
            if entry.name.bytes.starts(with: Array(start) + Array(marker.utf8)) { found.append("\(parent == "/" ? "" : parent)/\(entry.name)") }
        }
        return found.sorted()
    }
}
