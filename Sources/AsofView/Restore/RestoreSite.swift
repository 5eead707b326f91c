package import AsofCore
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

    /// What a restore beside its target is called once the target stands, until it is cleared away; it says what was restored.
    package func endedPath(repository: String, lsn: LSN) -> String { "\(prefix)\(HiddenName.restored)\(repository.prefix(8))-\(lsn.rawValue)" }

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
