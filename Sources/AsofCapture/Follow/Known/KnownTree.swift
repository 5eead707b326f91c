internal import AsofCore
internal import AsofSystem
internal import AsofWeaviate

/// The directory as the log has it: names, attributes, and what is needed to tell what changed. One thread's, and never copied: there are
/// hundreds of megabytes of a large one, and it holds a dozen references, whose counting would cost as much as a search.
///
/// Built to be small, for millions of files: for each a record of 64 bytes, its name, its handle, and three tables of 6 bytes that find it,
/// about 120 bytes in all; dictionaries take five times that. Nothing in it grows by copying itself, so that no call makes a tick wait.
struct KnownTree: ~Copyable {
    typealias Slot = KnownRecords.Slot

    /// One file or directory.
    struct Node {
        var kind: DataFileKind
        var isDirectory: Bool
        /// Bytes.
        var size: UInt64
        var modified: Instant
        /// How many of its names are in the tree.
        var names: Int
        fileprivate var fingerprint: UInt64
        fileprivate var seed: UInt64

        /// The log has exactly these attributes.
        func isLogged(as attributes: Attributes) -> Bool {
            size == attributes.size && modified == attributes.modified && fingerprint == attributes.fingerprint(seed: seed)
        }
    }

    var records = KnownRecords()
    var kinds = KindTable()
    // Records by what they are found by. An alias is found by its name only.
    var byNumber = SlotTable()
    var byHandle = SlotTable()
    var byName = SlotTable()
    /// The newest alias of what has more than one name.
    var newestAlias: [Slot: Slot] = [:]

    // What few files have.
    var otherDigests: [Slot: ContentDigests] = [:]
    var extendedAttributes: [Slot: [Name: [UInt8]]] = [:]

    /// Files and directories.
    var count = 0
    /// The highest number that was ever given.
    private(set) var highest: InodeNumber

    init(highest: InodeNumber) { self.highest = max(highest, .root) }

    subscript(inode: InodeNumber) -> Node? {
        guard let slot = knownSlot(of: inode) else { return nil }
        let record = records[slot]
        return Node(
            kind: kinds[record.kind], isDirectory: record.flags.contains(.directory), size: record.size,
            modified: Instant(nanoseconds: record.modified), names: Int(record.names), fingerprint: record.fingerprint, seed: records.seed)
    }

    func contains(_ inode: InodeNumber) -> Bool { knownSlot(of: inode) != nil }

    func handle(of inode: InodeNumber) -> StableHandle? {
        guard let slot = knownSlot(of: inode) else { return nil }
        return records.handle(of: slot)
    }

    func number(of handle: StableHandle) -> InodeNumber? {
        guard let slot = slot(of: handle) else { return nil }
        return InodeNumber(records[slot].number)
    }

    /// What `name` means in `parent`.
    func target(of name: Name, in parent: InodeNumber) -> InodeNumber? {
        guard let directory = slot(of: parent), let slot = slot(of: name, in: directory) else { return nil }
        return InodeNumber(records[slot].number)
    }

    /// In any order.
    func entries(of directory: InodeNumber) -> [(name: Name, target: InodeNumber)] {
        guard let slot = slot(of: directory) else { return [] }
        var entries: [(name: Name, target: InodeNumber)] = []
        var next = records[slot].firstChild
        while next != KnownRecord.none {
            entries.append((records.name(of: next), InodeNumber(records[next].number)))
            next = records[next].next
        }
        return entries
    }

    func extendedAttributes(of inode: InodeNumber) -> [Name: [UInt8]] {
        guard let slot = knownSlot(of: inode), records[slot].flags.contains(.extendedAttributes) else { return [:] }
        return extendedAttributes[slot] ?? [:]
    }

    /// From the root down; nil where the tree has no way there.
    func path(of inode: InodeNumber) -> [Name]? {
        guard var slot = slot(of: inode) else { return inode == .root ? [] : nil }
        var path: [Name] = []
        // Deeper than the kernel's longest path: a ring, which moving directories within one tick can leave for a moment.
        while records[slot].number != InodeNumber.root.rawValue {
            guard path.count < 4096, let named = place(slot) else { return nil }
            path.append(records.name(of: named))
            slot = records[named].parent
        }
        return path.reversed()
    }

    /// One of the places where it is; nil for what has none.
    func place(of inode: InodeNumber) -> (parent: InodeNumber, name: Name)? {
        guard let slot = slot(of: inode), let named = place(slot) else { return nil }
        return (InodeNumber(records[records[named].parent].number), records.name(of: named))
    }

    /// The record of the newest of its names.
    private func place(_ slot: Slot) -> Slot? {
        let record = records[slot]
        guard record.flags.contains(.known), record.nameLength > 0 else { return nil }
        return newestAlias.isEmpty ? slot : newestAlias[slot] ?? slot
    }

    // MARK: Finding records

    /// Of a number that was added, or that an entry speaks of.
    func slot(of inode: InodeNumber) -> Slot? {
        var probe = byNumber.probe(records.hash(inode))
        while let slot = byNumber.next(&probe) { if records[slot].number == inode.rawValue { return slot } }
        return nil
    }

    func knownSlot(of inode: InodeNumber) -> Slot? {
        guard let slot = slot(of: inode), records[slot].flags.contains(.known) else { return nil }
        return slot
    }

    func slot(of handle: StableHandle) -> Slot? {
        var probe = byHandle.probe(records.hash(handle))
        while let slot = byHandle.next(&probe) { if records.hasHandle(handle, slot) { return slot } }
        return nil
    }

    /// The record that has the name: a file's own, or an alias.
    func slot(of name: Name, in parent: Slot) -> Slot? {
        var probe = byName.probe(records.hash(name, in: parent))
        while let slot = byName.next(&probe) { if records.isNamed(name, in: parent, slot) { return slot } }
        return nil
    }

    // MARK: Numbers

    /// A number that no file ever had.
    mutating func nextNumber() -> InodeNumber {
        highest = InodeNumber(highest.rawValue + 1)
        return highest
    }
}
