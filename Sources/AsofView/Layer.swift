internal import AsofCore
internal import AsofFormat
internal import AsofRepository

/// One stretch of history in a view's stack. Nil: the layer says nothing, ask the next older one.
protocol Layer: AnyObject, Sendable {
    /// False: nothing at all is said of the inode.
    func knows(_ inode: InodeNumber) -> Bool
    func inode(_ inode: InodeNumber) throws(AsofError) -> (attributes: Attributes, erased: ErasedRanges)?
    /// `.some(nil)`: the name is gone.
    func entry(_ parent: InodeNumber, _ name: Name) throws(AsofError) -> InodeNumber??
    func entries(_ parent: InodeNumber, _ body: (Name, InodeNumber?) -> Void) throws(AsofError)
    func extendedAttributes(_ inode: InodeNumber, _ body: (Name, [UInt8]?) -> Void) throws(AsofError)
    func symbolicLink(_ inode: InodeNumber) throws(AsofError) -> [UInt8]?
    func chunk(_ inode: InodeNumber, _ index: UInt64) throws(AsofError) -> ExtentMap?
    /// The numbers of the chunks that it says something of.
    func chunks(_ inode: InodeNumber, _ body: (UInt64) -> Void) throws(AsofError)
    /// What the extents' object numbers mean.
    var objects: [ObjectReference] { get }
}

/// A sealed segment's index or a base.
final class RunLayer: Layer {
    private let run: RunReader

    init(_ run: RunReader) { self.run = run }

    var objects: [ObjectReference] { run.tail.objects }

    func knows(_ inode: InodeNumber) -> Bool { run.knows(inode) }

    func inode(_ inode: InodeNumber) throws(AsofError) -> (attributes: Attributes, erased: ErasedRanges)? {
        guard case .inode(let attributes, let erased) = try run.value(.inode(inode)) else { return nil }
        return (attributes, erased)
    }

    func entry(_ parent: InodeNumber, _ name: Name) throws(AsofError) -> InodeNumber?? {
        guard case .entry(let target) = try run.value(.entry(parent, name)) else { return nil }
        return .some(target)
    }

    func entries(_ parent: InodeNumber, _ body: (Name, InodeNumber?) -> Void) throws(AsofError) {
        try run.scan(parent, .entry) { key, value throws(AsofError) in
            if case .entry(let target) = value { body(key.name, target) }
        }
    }

    func extendedAttributes(_ inode: InodeNumber, _ body: (Name, [UInt8]?) -> Void) throws(AsofError) {
        try run.scan(inode, .extendedAttribute) { key, found throws(AsofError) in
            if case .extendedAttribute(let value) = found { body(key.name, value) }
        }
    }

    func symbolicLink(_ inode: InodeNumber) throws(AsofError) -> [UInt8]? {
        guard case .symbolicLink(let target) = try run.value(.symbolicLink(inode)) else { return nil }
        return target
    }

    func chunk(_ inode: InodeNumber, _ index: UInt64) throws(AsofError) -> ExtentMap? {
        guard case .chunk(let map) = try run.value(.chunk(inode, index)) else { return nil }
        return map
    }

    func chunks(_ inode: InodeNumber, _ body: (UInt64) -> Void) throws(AsofError) {
        try run.scan(inode, .chunk) { key, _ throws(AsofError) in body(key.chunk) }
    }
}

/// The part of the cut's own segment that lies before the cut, replayed from its operations.
///
/// @unchecked Sendable: the change set is complete when the layer is made and only read from then on.
final class ReplayedLayer: Layer, @unchecked Sendable {
    private let changes: ChangeSet
    let objects: [ObjectReference]

    init(_ changes: ChangeSet, objects: [ObjectReference]) {
        self.changes = changes
        self.objects = objects
    }

    func knows(_ inode: InodeNumber) -> Bool { changes.inodes[inode] != nil }

    func inode(_ inode: InodeNumber) throws(AsofError) -> (attributes: Attributes, erased: ErasedRanges)? {
        guard let change = changes.inodes[inode], let attributes = change.attributes else { return nil }
        return (attributes, change.erased)
    }

    func entry(_ parent: InodeNumber, _ name: Name) throws(AsofError) -> InodeNumber?? {
        guard let entry = changes.inodes[parent]?.entries[name] else { return nil }
        return .some(entry.target)
    }

    func entries(_ parent: InodeNumber, _ body: (Name, InodeNumber?) -> Void) throws(AsofError) {
        for (name, entry) in changes.inodes[parent]?.entries ?? [:] { body(name, entry.target) }
    }

    func extendedAttributes(_ inode: InodeNumber, _ body: (Name, [UInt8]?) -> Void) throws(AsofError) {
        for (name, value) in changes.inodes[inode]?.extendedAttributes ?? [:] { body(name, value) }
    }

    func symbolicLink(_ inode: InodeNumber) throws(AsofError) -> [UInt8]? { changes.inodes[inode]?.target }

    func chunk(_ inode: InodeNumber, _ index: UInt64) throws(AsofError) -> ExtentMap? { changes.inodes[inode]?.chunks[index] }

    func chunks(_ inode: InodeNumber, _ body: (UInt64) -> Void) throws(AsofError) {
        for number in changes.inodes[inode]?.chunks.keys.map({ $0 }) ?? [] { body(number) }
    }
}
