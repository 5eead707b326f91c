internal import AsofCore
internal import AsofSystem
internal import AsofView
internal import AsofWeaviate
internal import Glibc

/// The first look at everything, and the catch-up after a time without capture: compares the directory with the log while the server goes on,
/// and logs what differs, by inode and absolute. What it saw in the middle of a change is made right by the first tick, whose watch began
/// before a directory was listed.
package struct TreeScan {
    package struct Options: Sendable {
        package init() {}
    }

    private let journal: Journal
    private let root: SharedDescriptor
    private let watch: any TreeWatch
    private let known: View?
    private let suspicion: CaptureSession.Suspicion
    private var found: Set<InodeNumber> = [.root]
    private var lost: Set<InodeNumber> = []
    private(set) var outcome = Reconciler.Outcome()
    private static let pieceLength = 1 << 20

    init(session: CaptureSession, watch: any TreeWatch) {
        journal = session.journal
        root = session.root
        known = session.known
        suspicion = session.suspicion
        self.watch = watch
    }

    /// `report`: called after each directory; false stops the scan, and nil is returned.
    mutating func run(highest: InodeNumber, report: (Reconciler.Outcome) -> Bool) throws(AsofError) -> KnownTree? {
        var tree = KnownTree(highest: highest)
        let status = try status(root)
        tree.add(.root, try handle(root), status.attributes, .unknown)
        var stack: [(number: InodeNumber, descriptor: SharedDescriptor)] = [(.root, root)]
        while let (number, descriptor) = stack.popLast() {
            for directory in try look(through: number, descriptor, &tree) { stack.append(directory) }
            guard report(outcome) else { return nil }
        }
        try bury(in: tree)
        return tree
    }

    /// One directory and the files in it. Returns the directories in it.
    private mutating func look(
        through number: InodeNumber, _ descriptor: SharedDescriptor, _ tree: inout KnownTree
    ) throws(AsofError) -> [(number: InodeNumber, descriptor: SharedDescriptor)] {
        do throws(WatchFailure) { try watch.add(descriptor.unmanaged, token: Surveyor.token(number)) } catch { throw error.asofError }
        var old: [Name: InodeNumber] = [:]
        for entry in try known?.entries(of: number) ?? [] { old[entry.name] = entry.inode }
        var directories: [(number: InodeNumber, descriptor: SharedDescriptor)] = []
        var operations: [Operation] = []
        for name in try names(descriptor) {
            guard let opened = try open(name, descriptor) else { continue }
            let (attributes, handle) = (try status(opened).attributes, try handle(opened))
            let (child, isNew) = try self.number(handle, attributes, old[name], &tree)
            let before = old.removeValue(forKey: name)
            if before != child {
                // A name that meant something else is taken away first, so that it never counts as new.
                if let before {
                    operations.append(.entry(parent: number, name: name, target: nil))
                    lost.insert(before)
                }
                operations.append(.entry(parent: number, name: name, target: child))
            }
            if isNew { tree.add(child, handle, attributes, DataFileKind.of(path: (tree.path(of: number) ?? []) + [name])) }
            tree.setEntry(number, name, child)
            guard isNew else { continue }
            outcome.visited += 1
            if attributes.isDirectory { directories.append((child, opened)) } else { try compare(child, opened, attributes, &tree) }
            if operations.count >= 4096 { try log(&operations, number) }
        }
        for (name, inode) in old {
            operations.append(.entry(parent: number, name: name, target: nil))
            lost.insert(inode)
        }
        let attributes = try status(descriptor).attributes
        if try known?.attributes(of: number) != attributes { operations.append(.attributes(number, attributes, isBorn: false)) }
        tree.setAttributes(attributes, of: number)
        if !operations.isEmpty { noteDifference() }
        try log(&operations, number)
        return directories
    }

    /// The number that the log has for what stands under a name, when it can be the same; a new one otherwise.
    private mutating func number(
        _ handle: StableHandle, _ attributes: Attributes, _ candidate: InodeNumber?, _ tree: inout KnownTree
    ) throws(AsofError) -> (InodeNumber, isNew: Bool) {
        if let number = tree.number(of: handle) { return (number, false) }
        if let candidate, !found.contains(candidate), let old = try known?.attributes(of: candidate), old.kind == attributes.kind {
            found.insert(candidate)
            return (candidate, true)
        }
        return (tree.nextNumber(), true)
    }

    private mutating func compare(
        _ number: InodeNumber, _ descriptor: SharedDescriptor, _ attributes: Attributes, _ tree: inout KnownTree
    ) throws(AsofError) {
        let old = try known?.attributes(of: number)
        let mode = tree[number]?.kind.mode ?? .unknown
        var operations: [Operation] = []
        var digests: ContentDigests?
        if attributes.isRegular {
            // Kinds that change in place say nothing by their size and times.
            let isTrusted = mode == .appendOnly || mode == .writtenOnce
            if old == attributes, isTrusted, attributes.modified < suspicion.changedSince {
                digests = ContentDigests(unseen: attributes.size)
            } else {
                if let old, attributes.size < old.size { operations.append(.truncate(number, size: attributes.size)) }
                digests = try contents(number, descriptor, size: attributes.size, old: old)
                if isTrusted { digests?.forgetAllButTail() }
            }
        } else if attributes.kind == .symbolicLink {
            do throws(Errno) {
                let target = try SystemCall.readLink(at: descriptor.unmanaged, "")
                if try symbolicLink(number) != target { operations.append(.symbolicLink(number, target: target)) }
            } catch { throw AsofError(error, "cannot read a symbolic link") }
        }
        if old != attributes { operations.append(.attributes(number, attributes, isBorn: false)) }
        let extended = try extendedAttributes(number, descriptor, &operations)
        if !operations.isEmpty { noteDifference() }
        try log(&operations, number)
        tree.setDigests(digests, of: number)
        tree.setExtendedAttributes(extended, of: number)
    }

    private func symbolicLink(_ number: InodeNumber) throws(Errno) -> [UInt8]? {
        do throws(AsofError) { return try known?.symbolicLink(number) } catch { throw Errno(EIO) }
    }

    private func extendedAttributes(
        _ number: InodeNumber, _ descriptor: SharedDescriptor, _ operations: inout [Operation]
    ) throws(AsofError) -> [Name: [UInt8]] {
        let now = Surveyor.extendedAttributes(of: descriptor)
        let old = try known?.extendedAttributes(of: number) ?? [:]
        for (name, value) in now where old[name] != value { operations.append(.extendedAttribute(number, name: name, value: value)) }
        for name in old.keys where now[name] == nil { operations.append(.extendedAttribute(number, name: name, value: nil)) }
        return now
    }

    /// Logs the pieces that the log has otherwise.
    private mutating func contents(
        _ number: InodeNumber, _ descriptor: SharedDescriptor, size: UInt64, old: Attributes?
    ) throws(AsofError) -> ContentDigests {
        var digests = ContentDigests()
        var offset: UInt64 = 0
        while offset < size {
            let bytes = try read(descriptor, at: offset, length: Int(min(UInt64(Self.pieceLength), size - offset)))
            guard !bytes.isEmpty else { break }
            bytes.withUnsafeBytes { _ = digests.take($0, at: offset) }
            outcome.bytes += UInt64(bytes.count)
            if try !isKnown(number, bytes, at: offset, old) {
                let intent = try bytes.withUnsafeBufferPointer { buffer throws(AsofError) in
                    try journal.begin([number], payload: UnsafeRawBufferPointer(buffer))
                }
                try journal.commit([intent], .reconcile, [.write(number, offset: offset, length: bytes.count)])
                outcome.transactions += 1
                noteDifference()
            }
            offset += UInt64(bytes.count)
        }
        return digests
    }

    private func isKnown(_ number: InodeNumber, _ bytes: [UInt8], at offset: UInt64, _ old: Attributes?) throws(AsofError) -> Bool {
        guard let known, let old, old.size >= offset + UInt64(bytes.count) else { return false }
        var then = [UInt8](repeating: 0, count: bytes.count)
        let count = try then.withUnsafeMutableBufferPointer { buffer throws(AsofError) in
            try known.read(number, size: old.size, offset: offset, into: UnsafeMutableRawBufferPointer(buffer))
        }
        return count == bytes.count && then == bytes
    }

    /// Inodes whose names went and that were found nowhere else are gone, and what was below them, too.
    private mutating func bury(in tree: KnownTree) throws(AsofError) {
        guard let known else { return }
        var stack = Array(lost)
        while let inode = stack.popLast() {
            guard !tree.contains(inode), var attributes = try known.attributes(of: inode) else { continue }
            if attributes.isDirectory { for entry in try known.entries(of: inode) { stack.append(entry.inode) } }
            attributes.links = 0
            var operations: [Operation] = [.attributes(inode, attributes, isBorn: false)]
            try log(&operations, .root)
        }
    }

    private mutating func noteDifference() {
        outcome.different += 1
        outcome.unexplained += 1
    }

    private mutating func log(_ operations: inout [Operation], _ number: InodeNumber) throws(AsofError) {
        guard !operations.isEmpty else { return }
        try journal.commit([try journal.begin([number])], .reconcile, operations)
        operations = []
        outcome.transactions += 1
    }

    // MARK: Looking

    private func read(_ descriptor: SharedDescriptor, at offset: UInt64, length: Int) throws(AsofError) -> [UInt8] {
        do throws(Errno) {
            let readable = try SystemCall.reopen(descriptor.unmanaged, O_RDONLY)
            return try SystemCall.readFully(readable.raw, at: offset, length: length)
        } catch {
            throw AsofError(error, "cannot read a file of the directory")
        }
    }

    private func names(_ directory: SharedDescriptor) throws(AsofError) -> [Name] {
        do throws(Errno) {
            let reader = DirectoryReader(SharedDescriptor(try SystemCall.reopen(directory.unmanaged, O_RDONLY | O_DIRECTORY)))
            var names: [Name] = []
            while let entry = try reader.next() { names.append(entry.name) }
            return names
        } catch {
            throw AsofError(error, "cannot list a directory")
        }
    }

    private func open(_ name: Name, _ directory: SharedDescriptor) throws(AsofError) -> SharedDescriptor? {
        do throws(Errno) {
            return SharedDescriptor(try SystemCall.open(at: directory.unmanaged, name, SystemCall.O_PATH | O_NOFOLLOW))
        } catch {
            if error.rawValue == ENOENT { return nil }
            throw AsofError(error, "cannot look at \(name)")
        }
    }

    private func status(_ descriptor: SharedDescriptor) throws(AsofError) -> FileStatus {
        do throws(Errno) { return try SystemCall.status(descriptor.unmanaged) } catch { throw AsofError(error, "cannot look at a file") }
    }

    private func handle(_ descriptor: SharedDescriptor) throws(AsofError) -> StableHandle {
        do throws(Errno) { return try StableHandle(of: descriptor.unmanaged) } catch {
            throw AsofError(
                error, "the file system cannot name its files for good",
                hint: "following needs file handles (name_to_handle_at), as ext4 and xfs have them")
        }
    }
}
