internal import AsofCore
internal import AsofRepository

/// Walks a view from its root, names in order: always the same steps for the same cut, so that their number is a place to go on from.
final class RestoreWalk {
    enum Step {
        case folder(UInt32)
        /// The first name of anything but a folder.
        case file(InodeNumber, Attributes, RestoredPlace)
        /// Another name of what has one already.
        case link(RestoredPlace, to: RestoredPlace)
    }

    let folders = FolderTable()
    private let view: View
    private var open: [(folder: UInt32, names: [(name: Name, inode: InodeNumber)], next: Int)] = []
    private var isBegun = false
    /// Of inodes with several names, the first.
    private var linked: [InodeNumber: RestoredPlace] = [:]
    private var folderInodes: Set<InodeNumber> = [.root]

    init(_ view: View) { self.view = view }

    /// Nil: that was all.
    func next() throws(AsofError) -> Step? {
        if !isBegun {
            isBegun = true
            open.append((0, try names(of: 0), 0))
        }
        while let last = open.indices.last {
            guard open[last].next < open[last].names.count else {
                open.removeLast()
                continue
            }
            let entry = open[last].names[open[last].next]
            open[last].next += 1
            return try step(entry.inode, RestoredPlace(folder: open[last].folder, name: entry.name))
        }
        return nil
    }

    private func step(_ inode: InodeNumber, _ place: RestoredPlace) throws(AsofError) -> Step {
        guard let attributes = try view.attributes(of: inode), let kind = attributes.kind else { throw contradiction(place, "a name of nothing") }
        guard kind == .directory else {
            guard attributes.links > 1 else { return .file(inode, attributes, place) }
            if let first = linked[inode] { return .link(place, to: first) }
            linked[inode] = place
            return .file(inode, attributes, place)
        }
        // Folders in a circle would never end.
        guard folderInodes.insert(inode).inserted else { throw contradiction(place, "a folder that stands elsewhere, too") }
        let number = folders.append(inode, at: place)
        open.append((number, try names(of: number), 0))
        return .folder(number)
    }

    private func names(of folder: UInt32) throws(AsofError) -> [(name: Name, inode: InodeNumber)] {
        do throws(AsofError) { return try view.entries(of: folders[folder].inode) } catch {
            throw error.during("the names in \(folders.path(ofFolder: folder))")
        }
    }

    private func contradiction(_ place: RestoredPlace, _ what: String) -> AsofError {
        AsofError(
            .damaged, "the state of lsn:\(view.cut.lsn) contradicts itself: \(folders.path(of: place)) is \(what)",
            hint: "an index that it is read from is damaged; restore the repository from a copy, or take another instant")
    }
}
