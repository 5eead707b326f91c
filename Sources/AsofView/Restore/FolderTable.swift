internal import AsofCore
internal import AsofSystem

/// Where a name stands in a restored tree: in which folder of the table.
struct RestoredPlace: Hashable, Sendable {
    var folder: UInt32
    var name: Name
}

/// The folders of a tree in the order in which a walk meets them; number 0 is the root. It only grows.
final class FolderTable: Sendable {
    struct Folder: Sendable {
        var inode: InodeNumber
        /// Nil: the root.
        var place: RestoredPlace?
    }

    private let folders = Lock<[Folder]>([Folder(inode: .root, place: nil)])

    var count: Int { folders.withLock { $0.count } }

    subscript(number: UInt32) -> Folder { folders.withLock { $0[Int(number)] } }

    func append(_ inode: InodeNumber, at place: RestoredPlace) -> UInt32 {
        folders.withLock { folders in
            folders.append(Folder(inode: inode, place: place))
            return UInt32(folders.count - 1)
        }
    }

    /// For people: relative to the root.
    func path(of place: RestoredPlace) -> String {
        var path = place.name.description
        var number = place.folder
        while let above = self[number].place {
            path = "\(above.name)/\(path)"
            number = above.folder
        }
        return path
    }

    func path(ofFolder number: UInt32) -> String { self[number].place.map { path(of: $0) } ?? "." }
}
