import AsofCore
import AsofSystem
import AsofWeaviate

@testable import AsofCapture

/// `KnownTree` in dictionaries: the plainest thing that behaves like it, but for `place`, which may be one where it was.
struct DictionaryTree {
    /// One file or directory.
    struct Node {
        var kind: DataFileKind
        var isDirectory: Bool
        /// Bytes.
        var size: UInt64
        var modified: Instant
        /// How many of its names are in the tree.
        var names: Int
        var attributes: Attributes

        /// The log has exactly these attributes.
        func isLogged(as attributes: Attributes) -> Bool { self.attributes == attributes }
    }

    private struct Record {
        var handle: StableHandle
        var attributes: Attributes
        var kind: DataFileKind
        var names = 0
        /// One of the places where it is; enough for a path.
        var parent = InodeNumber.root
        var name = Name(unchecked: [])
        var digests: ContentDigests?
        var extendedAttributes: [Name: [UInt8]] = [:]
    }

    private var records: [InodeNumber: Record] = [:]
    private var entries: [InodeNumber: [Name: InodeNumber]] = [:]
    private var numbers: [StableHandle: InodeNumber] = [:]
    /// The highest number that was ever given.
    private(set) var highest: InodeNumber

    init(highest: InodeNumber) { self.highest = max(highest, .root) }

    var count: Int { records.count }

    subscript(inode: InodeNumber) -> Node? {
        guard let record = records[inode] else { return nil }
        let attributes = record.attributes
        return Node(
            kind: record.kind, isDirectory: attributes.isDirectory, size: attributes.size, modified: attributes.modified, names: record.names,
            attributes: attributes)
    }

    func contains(_ inode: InodeNumber) -> Bool { records[inode] != nil }

    func handle(of inode: InodeNumber) -> StableHandle? { records[inode]?.handle }

    func number(of handle: StableHandle) -> InodeNumber? { numbers[handle] }

    /// What `name` means in `parent`.
    func target(of name: Name, in parent: InodeNumber) -> InodeNumber? { entries[parent]?[name] }

    /// In any order.
    func entries(of directory: InodeNumber) -> [(name: Name, target: InodeNumber)] { (entries[directory] ?? [:]).map { ($0.key, $0.value) } }

    /// What the log has of a file's bytes, as far as its kind needs that; nil: nothing is remembered.
    func digests(of inode: InodeNumber) -> ContentDigests? { records[inode]?.digests }

    func extendedAttributes(of inode: InodeNumber) -> [Name: [UInt8]] { records[inode]?.extendedAttributes ?? [:] }

    /// From the root down; nil where the tree has no way there.
    func path(of inode: InodeNumber) -> [Name]? {
        var path: [Name] = []
        var current = inode
        // Deeper than the kernel's longest path: a ring, which moving directories within one tick can leave for a moment.
        while current != .root {
            guard path.count < 4096, let (parent, name) = place(of: current) else { return nil }
            path.append(name)
            current = parent
        }
        return path.reversed()
    }

    /// One of the places where it is; nil for what has none.
    func place(of inode: InodeNumber) -> (parent: InodeNumber, name: Name)? {
        guard let record = records[inode], !record.name.bytes.isEmpty else { return nil }
        return (record.parent, record.name)
    }

    // MARK: Changing

    /// A number that no file ever had.
    mutating func nextNumber() -> InodeNumber {
        highest = InodeNumber(highest.rawValue + 1)
        return highest
    }

    /// A file or directory that the tree does not know; it has no name yet.
    mutating func add(_ inode: InodeNumber, _ handle: StableHandle, _ attributes: Attributes, _ kind: DataFileKind) {
        records[inode] = Record(handle: handle, attributes: attributes, kind: kind)
        numbers[handle] = inode
    }

    // What is said of a number that the tree does not know is ignored.

    mutating func setAttributes(_ attributes: Attributes, of inode: InodeNumber) { records[inode]?.attributes = attributes }

    mutating func setKind(_ kind: DataFileKind, of inode: InodeNumber) { records[inode]?.kind = kind }

    mutating func setDigests(_ digests: ContentDigests?, of inode: InodeNumber) { records[inode]?.digests = digests }

    mutating func setExtendedAttributes(_ attributes: [Name: [UInt8]], of inode: InodeNumber) { records[inode]?.extendedAttributes = attributes }

    /// `name` in `parent` means `target` from now on. Returns what it meant before.
    @discardableResult
    mutating func setEntry(_ parent: InodeNumber, _ name: Name, _ target: InodeNumber?) -> InodeNumber? {
        let before = entries[parent]?[name]
        entries[parent, default: [:]][name] = target
        if let before { records[before]?.names -= 1 }
        if let target {
            records[target]?.names += 1
            records[target]?.parent = parent
            records[target]?.name = name
        }
        return before
    }

    /// Forgets it; its entries and names must be gone.
    mutating func remove(_ inode: InodeNumber) {
        if let record = records.removeValue(forKey: inode), numbers[record.handle] == inode { numbers[record.handle] = nil }
        entries[inode] = nil
    }
}
