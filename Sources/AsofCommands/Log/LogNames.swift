internal import AsofCommandLine
package import AsofCore
internal import AsofRepository
package import AsofView

/// Paths of inodes, looked up in the view where a listing begins and kept up to date by the transactions that follow.
package struct LogNames {
    /// What a transaction is about, in paths.
    package struct Subject {
        /// The name that it changed, or the file; of a rename the old name, of a link the one that was there.
        package var path: String
        /// Of a rename, exchange or link: the other name; of a symbolic link: what it says.
        package var target: String?
        /// Everything that it changed. Directories whose attributes alone followed from that are left out.
        package var paths: [String]
        /// Whatever is below these moved with them.
        var moved: [String] = []

        package func concerns(_ wanted: LogPath) -> Bool { paths.contains(where: wanted.covers) || moved.contains(where: wanted.isBelow) }
    }

    private var places: [InodeNumber: (parent: InodeNumber, name: Name)] = [:]

    /// Reads all names of the view.
    package init(_ view: View) throws(AsofError) {
        var stack: [InodeNumber] = [.root]
        var seen: Set<InodeNumber> = [.root]
        while let directory = stack.popLast() {
            for entry in try view.entries(of: directory) {
                if try view.attributes(of: entry.inode)?.isDirectory ?? false {
                    guard seen.insert(entry.inode).inserted else {
                        // Folders within each other have no end.
                        throw AsofError(
                            .damaged, "the state of lsn:\(view.cut.lsn) has two names for one folder: \(Printable.quoted(join(path(of: directory), entry.name))) is one",
                            hint: "an index that it is read from is damaged: restore the repository from a copy; other instants may be whole")
                    }
                    stack.append(entry.inode)
                }
                places[entry.inode] = (directory, entry.name)
            }
        }
    }

    /// Says what the next transaction is about.
    package mutating func take(_ transaction: Transaction) -> Subject {
        // A name that goes is below a path as it was, a name that comes below one as it is then.
        var gone: [String: String] = [:]
        for case .entry(let parent, let name, nil) in transaction.operations { gone["\(parent)/\(name)"] = join(path(of: parent), name) }
        let linked = transaction.verb == .link ? self.linked(transaction).map(path(of:)) : nil
        for case .entry(let parent, let name, let target?) in transaction.operations { places[target] = (parent, name) }

        var named: [String] = []
        var touched: [InodeNumber] = []
        var onlyAttributes: [InodeNumber] = []
        for operation in transaction.operations {
            switch operation {
            case .entry(let parent, let name, nil): named.append(gone["\(parent)/\(name)"] ?? join(path(of: parent), name))
            case .entry(let parent, let name, _): named.append(join(path(of: parent), name))
            case .attributes(let inode, let attributes, _) where attributes.isDirectory: onlyAttributes.append(inode)
            default: touched.append(operation.inode)
            }
        }
        var seen: Set<String> = []
        var paths = (named + touched.map(path(of:))).filter { seen.insert($0).inserted }
        if paths.isEmpty { paths = onlyAttributes.map(path(of:)).filter { seen.insert($0).inserted } }
        if !transaction.verb.isCall { paths.sort() }
        var subject = Subject(path: paths.first ?? ".", target: nil, paths: paths)
        switch transaction.verb {
        case .rename, .exchange:
            subject.target = named.dropFirst().first
            subject.moved = Array(named.prefix(2))
        case .link:
            guard let linked else { break }
            (subject.path, subject.target) = (linked, named.first)
            subject.paths.append(linked)
        case .symlink:
            for case .symbolicLink(_, let target) in transaction.operations { subject.target = String(decoding: target, as: UTF8.self) }
        default: break
        }
        return subject
    }

    private func linked(_ transaction: Transaction) -> InodeNumber? {
        for case .entry(_, _, let target?) in transaction.operations { return target }
        return nil
    }

    private func path(of inode: InodeNumber) -> String {
        var parts: [String] = []
        var current = inode
        // A damaged log could have a ring of directories.
        for _ in 0..<4096 {
            guard current != .root else { break }
            guard let place = places[current] else {
                parts.append("<inode \(current)>")
                break
            }
            parts.append(place.name.description)
            current = place.parent
        }
        return parts.isEmpty ? "." : parts.reversed().joined(separator: "/")
    }

    private func join(_ folder: String, _ name: Name) -> String { folder == "." ? name.description : "\(folder)/\(name)" }
}
