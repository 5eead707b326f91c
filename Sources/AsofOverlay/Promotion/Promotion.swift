package import AsofCore
package import AsofView
internal import AsofSystem
internal import Glibc

/// Makes a restored tree out of the view into what the overlay over it shows. The overlay is frozen: each attempt is about the same state.
///
/// A crash leaves it so that it can be done again. First everything leaves its place that is not where it was (`limbo/INODE`, folders after what
/// was in them), then, noted by `departed`, everything goes to where it is now, then contents and attributes, noted by `filled`. What is in limbo
/// then goes; until then a file that only kept a name of which the overlay knows nothing is reached by the one in limbo.
package struct Promotion {
    private let contents: OverlayContents
    private let overlay: String
    private let view: View
    private let folder: String
    private let tree: String
    private let data: DataFiles
    private let limit: RateLimit
    private let progress: RestoreProgress
    private let isRoot = geteuid() == 0

    /// `overlay`: its identity. `folder`: that of the restore, with the tree of the view in it. `rate`: bytes of files a second.
    package init(
        _ contents: OverlayContents, of overlay: String, over view: View, in folder: String, rate: UInt64?, progress: RestoreProgress
    ) throws(AsofError) {
        self.contents = contents
        self.overlay = overlay
        self.view = view
        self.folder = folder
        self.progress = progress
        limit = RateLimit(bytesPerSecond: rate)
        tree = "\(folder)/tree"
        do throws(Errno) {
            data = DataFiles(SharedDescriptor(try SystemCall.open("\(contents.folder)/data", O_RDONLY | O_DIRECTORY)))
        } catch {
            throw AsofError(error, "cannot read the overlay's data in \(contents.folder)")
        }
    }

    /// Files in the restore's folder that are this one's: they go with it.
    private static let departed = "departed"
    private static let filled = "filled"
    private static let finished = "promoted"

    /// `.interrupted`: it was asked to stop; another one goes on.
    package func run() throws(AsofError) {
        try PromotedChanges.begin(overlay, in: folder)
        guard !isNoted(Self.finished) else { return }
        let root = try making("open", tree) { () throws(Errno) in SharedDescriptor(try SystemCall.open(tree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)) }
        let limbo = "\(folder)/limbo"
        try making("make", limbo) { () throws(Errno) in
            do throws(Errno) { try SystemCall.makeDirectory(limbo, mode: 0o700) } catch { if error.rawValue != EEXIST { throw error } }
        }
        let places = try contents.places(over: view)
        if !isNoted(Self.departed) {
            try open(contents.foldersBelow(in: view))
            for departure in try contents.departures(from: view) { try depart(departure) }
            try sync(root)
            CrashPoint.reach("promote.departed.before")
            try make(note: Self.departed)
        }
        CrashPoint.reach("promote.departed.after")
        // Some may have their modes already.
        try open(places.filter { contents.state.nodes[$0.inode]?.attributes.isDirectory == true }.map(\.path))
        if !isNoted(Self.filled) {
            try arrive(places)
            CrashPoint.reach("promote.arrived")
            try fill(places)
            CrashPoint.reach("promote.filled")
            // What limbo alone leads to cannot be filled again.
            try sync(root)
            try make(note: Self.filled)
        }
        try making("remove", limbo) { () throws(Errno) in try TreeRemoval(at: AT_FDCWD).remove(limbo) }
        CrashPoint.reach("promote.cleared")
        // Each after what is in it: making that changed its times.
        for place in places.reversed() {
            try progress.checkStop()
            if let node = contents.state.nodes[place.inode], node.attributes.isDirectory { try dress(node, at(place.path)) }
        }
        if let node = contents.state.nodes[.root] { try dress(node, at([])) }
        try sync(root)
        CrashPoint.reach("promote.finished.before")
        try make(note: Self.finished)
    }

    // MARK: Names

    private func at(_ path: [UInt8]) -> [UInt8] { path.isEmpty ? Array(tree.utf8) : Array(tree.utf8) + [0x2F] + path }
    private func limbo(_ inode: InodeNumber) -> [UInt8] { Array("\(folder)/limbo/\(inode)".utf8) }
    private func isThere(_ path: [UInt8]) -> Bool {
        let found = try? LongPath.reach(path) { (folder, path) throws(Errno) in try SystemCall.statusIfPresent(at: folder, path) != nil }
        return found ?? false
    }

    private func open(_ path: [UInt8], _ flags: Int32, mode: UInt32 = 0) throws(Errno) -> SharedDescriptor {
        try LongPath.reach(path) { (folder, path) throws(Errno) in SharedDescriptor(try SystemCall.open(at: folder, path, flags | O_NOFOLLOW, mode: mode)) }
    }

    private func rename(_ from: [UInt8], to: [UInt8]) throws(Errno) {
        try LongPath.reach(from) { (source, from) throws(Errno) in
            try LongPath.reach(to) { (target, to) throws(Errno) in try SystemCall.rename(at: source, from, to: target, to) }
        }
    }

    /// Lets a user who is not root change what is in these folders, which may shut out even whom they belong to; each before what is in it.
    private func open(_ folders: [[UInt8]]) throws(AsofError) {
        guard !isRoot else { return }
        // The root gets its mode back if it is among what changed, as all others are.
        for path in (contents.state.nodes[.root] == nil ? [] : [[]]) + folders {
            try making("open", at(path)) { () throws(Errno) in
                do throws(Errno) {
                    try LongPath.reach(at(path)) { (folder, path) throws(Errno) in try SystemCall.changeMode(at: folder, path, 0o700) }
                } catch {
                    // It has left its place, or has not arrived.
                    if error.rawValue != ENOENT { throw error }
                }
            }
        }
    }

    private func depart(_ departure: OverlayContents.Departure) throws(AsofError) {
        try progress.checkStop()
        let (from, to) = (at(departure.path), limbo(departure.inode))
        try making("move", from) { () throws(Errno) in
            // Gone from there in an earlier attempt.
            guard isThere(from) else { return }
            // Another name of what is there by another name already: rename(2) would do nothing.
            if isThere(to) { return try LongPath.reach(from) { (folder, from) throws(Errno) in try SystemCall.unlink(at: folder, from) } }
            try rename(from, to: to)
        }
    }

    private func arrive(_ places: [OverlayContents.Place]) throws(AsofError) {
        var first: [InodeNumber: [UInt8]] = [:]
        for place in places where !place.isChanged { first[place.inode] = first[place.inode] ?? place.path }
        // Further names of files last: the first may stand in a folder that has not arrived yet.
        var links: [OverlayContents.Place] = []
        for place in places where place.isChanged {
            try progress.checkStop()
            let (path, limbo) = (at(place.path), limbo(place.inode))
            try making("make", path) { () throws(Errno) in
                // Made by an earlier attempt.
                if isThere(path) { return }
                if isThere(limbo) { return try rename(limbo, to: path) }
                if first[place.inode] != nil { return links.append(place) }
                guard let node = contents.state.nodes[place.inode], !node.isInView else { throw Errno(ENOENT) }
                try make(node, path)
            }
            first[place.inode] = first[place.inode] ?? place.path
        }
        for place in links {
            guard let other = first[place.inode] else { continue }
            try progress.checkStop()
            try making("make", at(place.path)) { () throws(Errno) in
                try LongPath.reach(at(other)) { (source, other) throws(Errno) in
                    try LongPath.reach(at(place.path)) { (target, path) throws(Errno) in try SystemCall.link(at: source, other, to: target, path) }
                }
            }
        }
    }

    private func make(_ node: OverlayNode, _ path: [UInt8]) throws(Errno) {
        let mode = node.attributes.mode
        try LongPath.reach(path) { (folder, path) throws(Errno) in
            switch node.attributes.kind {
            case .directory: try SystemCall.makeDirectory(at: folder, path, mode: 0o700)
            case .symbolicLink: try SystemCall.symbolicLink(target: node.target ?? [], at: folder, path)
            case .regular, nil: _ = try SystemCall.open(at: folder, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
            case .fifo, .socket, .characterDevice, .blockDevice:
                try SystemCall.makeNode(at: folder, path, mode: mode & 0o170000 | 0o600, device: node.attributes.device)
            }
        }
    }

    // MARK: Contents

    private func fill(_ places: [OverlayContents.Place]) throws(AsofError) {
        var done: Set<InodeNumber> = []
        for place in places where done.insert(place.inode).inserted {
            if let node = contents.state.nodes[place.inode], !node.attributes.isDirectory { try fill(node, at(place.path)) }
        }
        var others: Set<InodeNumber> = []
        for node in contents.nameless(besides: done) {
            if isThere(limbo(node.inode)) { try fill(node, limbo(node.inode)) } else { others.insert(node.inode) }
        }
        // By any name that the view has.
        for (inode, path) in try contents.names(of: others, over: view) {
            if let node = contents.state.nodes[inode] { try fill(node, at(path)) }
        }
    }

    /// `path`: any that leads to it.
    private func fill(_ node: OverlayNode, _ path: [UInt8]) throws(AsofError) {
        try progress.checkStop()
        let sizeBelow = node.isInView ? try view.attributes(of: node.inode)?.size ?? 0 : 0
        // Attributes of the user's are for who may write.
        if node.attributes.isRegular, !isRoot, !node.extended.isEmpty { try makeWritable(path) }
        if node.attributes.isRegular, !node.covered.isEmpty || !node.erased.isEmpty || node.attributes.size != sizeBelow {
            if !isRoot { try makeWritable(path) }
            let file = try making("write", path) { () throws(Errno) in try open(path, O_WRONLY) }
            for range in node.erased.ranges { try erase(range, of: file, path) }
            for range in node.covered.ranges { try copy(range, of: node.inode, to: file, path) }
            try making("write", path) { () throws(Errno) in
                try file.withRaw { raw throws(Errno) in try SystemCall.truncate(raw, to: node.attributes.size) }
            }
        }
        try dress(node, path)
        progress.finished()
    }

    private func makeWritable(_ path: [UInt8]) throws(AsofError) {
        try making("write", path) { () throws(Errno) in
            try LongPath.reach(path) { (folder, path) throws(Errno) in try SystemCall.changeMode(at: folder, path, 0o600) }
        }
    }

    private func erase(_ range: Range<UInt64>, of file: SharedDescriptor, _ path: [UInt8]) throws(AsofError) {
        let end = try making("look at", path) { () throws(Errno) in
            let size = try file.withRaw { raw throws(Errno) in try SystemCall.status(raw).attributes.size }
            return min(range.upperBound, size)
        }
        guard range.lowerBound < end else { return }
        let isHole = try making("write", path) { () throws(Errno) in
            // FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE; zeroes where a file system has no holes.
            do throws(Errno) {
                try file.withRaw { raw throws(Errno) in try SystemCall.allocate(raw, mode: 3, offset: range.lowerBound, length: end - range.lowerBound) }
                return true
            } catch {
                guard error.rawValue == EOPNOTSUPP else { throw error }
                return false
            }
        }
        guard !isHole else { return }
        let zeroes = [UInt8](repeating: 0, count: Self.pieceLength)
        try pieces(of: range.lowerBound..<end) { offset, count throws(AsofError) in
            try making("write", path) { () throws(Errno) in
                try file.withRaw { raw throws(Errno) in try SystemCall.writeFully(raw, at: offset, Array(zeroes[..<count])) }
            }
        }
    }

    private static let pieceLength = 1 << 20

    private func copy(_ range: Range<UInt64>, of inode: InodeNumber, to file: SharedDescriptor, _ path: [UInt8]) throws(AsofError) {
        var buffer = [UInt8](repeating: 0, count: min(Self.pieceLength, Int(clamping: range.upperBound - range.lowerBound)))
        try pieces(of: range) { offset, count throws(AsofError) in
            try making("write", path) { () throws(Errno) in
                try buffer.withUnsafeMutableBufferPointer { bytes throws(Errno) in
                    let piece = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(bytes)[..<count])
                    try data.read(inode, at: offset, into: piece)
                    try file.withRaw { raw throws(Errno) in try SystemCall.writeFully(raw, at: offset, UnsafeRawBufferPointer(piece)) }
                }
            }
        }
    }

    /// A range piece by piece, as fast as may be, until it is asked to stop.
    private func pieces(of range: Range<UInt64>, _ body: (_ offset: UInt64, _ count: Int) throws(AsofError) -> Void) throws(AsofError) {
        var offset = range.lowerBound
        while offset < range.upperBound {
            let count = Int(min(UInt64(Self.pieceLength), range.upperBound - offset))
            try progress.checkStop()
            try limit.take(count) { () throws(AsofError) in try progress.checkStop() }
            try body(offset, count)
            progress.wrote(count)
            offset += UInt64(count)
        }
    }

    // MARK: Attributes

    /// The times last: everything before changes them.
    private func dress(_ node: OverlayNode, _ path: [UInt8]) throws(AsofError) {
        let attributes = node.attributes
        let what = "set the attributes of"
        let opened = try making(what, path) { () throws(Errno) in try open(path, SystemCall.O_PATH) }
        if isRoot {
            try making(what, path) { () throws(Errno) in
                try opened.withRaw { raw throws(Errno) in try SystemCall.changeOwner(raw, owner: attributes.owner, group: attributes.group) }
            }
        }
        for (name, value) in node.extended where isRoot || name.bytes.starts(with: "user.".utf8) { try set(name, value, of: opened, path) }
        try making(what, path) { () throws(Errno) in
            try opened.withRaw { raw throws(Errno) in
                if attributes.kind != .symbolicLink { try SystemCall.changeMode(raw, attributes.mode) }
                try SystemCall.setTimes(raw, accessed: .instant(attributes.modified), modified: .instant(attributes.modified))
            }
        }
    }

    /// `value`: nil: there is to be none.
    private func set(_ name: Name, _ value: [UInt8]?, of file: SharedDescriptor, _ path: [UInt8]) throws(AsofError) {
        do throws(Errno) {
            try file.withRaw { raw throws(Errno) in
                if let value { try SystemCall.setExtendedAttribute(raw, name, value) } else { try SystemCall.removeExtendedAttribute(raw, name) }
            }
        } catch {
            let text = String(decoding: path, as: UTF8.self)
            guard let value else {
                // There is none of that name; or of any.
                if error.rawValue == ENODATA || error.rawValue == EOPNOTSUPP { return }
                throw AsofError(error, "cannot remove the extended attribute \(name) of \(text)")
            }
            switch error.rawValue {
            // Most often not the disk is full, but the room that a file has for them.
            case ENOSPC, E2BIG, ERANGE, EOPNOTSUPP, EINVAL:
                throw AsofError(
                    .failure, "the file system of the target does not hold the extended attribute \(name) of \(value.count) bytes on \(text): \(error.text)", hint: Self.elsewhere)
            default: throw AsofError(error, "cannot set the extended attribute \(name) of \(text)")
            }
        }
    }

    // MARK: Steps

    /// What helps where a file system cannot have what the mount has: nothing changes in it any more, so it can be promoted to any place.
    private static let elsewhere = "promote to a folder on another file system: --to"

    private func isNoted(_ name: String) -> Bool { isThere(Array("\(folder)/\(name)".utf8)) }

    private func make(note name: String) throws(AsofError) {
        try making("write", "\(folder)/\(name)") { () throws(Errno) in try Durable.replace(inDirectory: folder, name, []) }
    }

    private func sync(_ root: SharedDescriptor) throws(AsofError) {
        try making("make durable", tree) { () throws(Errno) in try SystemCall.syncFileSystem(root.unmanaged) }
    }

    private func making<Value>(_ what: String, _ path: String, _ body: () throws(Errno) -> Value) throws(AsofError) -> Value {
        do throws(Errno) { return try body() } catch {
            switch error.rawValue {
            case EFBIG, ENAMETOOLONG, EILSEQ, EOPNOTSUPP: throw AsofError(error, "cannot \(what) \(path)", hint: Self.elsewhere)
            default: throw AsofError(error, "cannot \(what) \(path)")
            }
        }
    }

    private func making<Value>(_ what: String, _ path: [UInt8], _ body: () throws(Errno) -> Value) throws(AsofError) -> Value {
        // Some are longer than anybody reads.
        let text = path.count <= 500 ? String(decoding: path, as: UTF8.self) : "\(String(decoding: path.prefix(250), as: UTF8.self))…\(String(decoding: path.suffix(200), as: UTF8.self))"
        return try making(what, text, body)
    }
}
