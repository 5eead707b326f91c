internal import AsofCore
internal import AsofFileSystem
internal import AsofSystem
internal import Glibc

/// A file or directory of which the overlay knows something: it differs from the view, or a name on the way to a difference is its.
///
/// A byte of a file is, in this order: the overlay's own where `covered`; zero where `erased`; the view's.
///
/// @unchecked Sendable: everything below `lock` belongs to its holder. Two nodes are locked by ascending inode.
final class OverlayNode: @unchecked Sendable {
    let inode: InodeNumber
    /// The view has it, too; else it was made here.
    let isInView: Bool
    let lock = Lock<Void>(())

    var attributes: Attributes
    var covered = ByteRanges()
    var erased = ByteRanges()
    /// What differs from the view's extended attributes; nil: removed.
    var extended: [Name: [UInt8]?] = [:]
    /// Of a symbolic link that was made here.
    var target: [UInt8]?
    /// Bytes of the data file that were covered when the newest checkpoint was made, and are not any more: until the next one a power cut
    /// may bring them back.
    var cut = ByteRanges()
    /// The journal says durably that they were cut off.
    var isCutDurable = true

    init(_ inode: InodeNumber, _ attributes: Attributes, isInView: Bool) {
        self.inode = inode
        self.attributes = attributes
        self.isInView = isInView
    }

    /// No name leads here any more.
    var isGone: Bool { attributes.links == 0 }

    /// The state after `operation`, which is about this node. Returns by how many bytes of its own the node grew.
    @discardableResult
    func apply(_ operation: Operation) -> Int64 {
        switch operation {
        case .attributes(_, let attributes, _): self.attributes = attributes
        case .write(_, let offset, let length):
            let range = offset..<offset.end(after: UInt64(length))
            let known = covered.overlapping(range).reduce(0) { $0 + $1.length }
            covered.insert(range)
            cut.remove(range)
            return range.length - known
        case .truncate(_, let size): return uncover(size..<UInt64.max)
        case .zero(_, let offset, let length): return uncover(offset..<offset.end(after: length))
        case .extendedAttribute(_, let name, let value): extended[name] = .some(value)
        case .symbolicLink(_, let target): self.target = target
        case .entry: break
        }
        return 0
    }

    private func uncover(_ range: Range<UInt64>) -> Int64 {
        guard !range.isEmpty else { return 0 }
        let lost = covered.overlapping(range)
        if !lost.isEmpty {
            for part in lost { cut.insert(part) }
            isCutDurable = false
            covered.remove(range)
        }
        if isInView { erased.insert(range) }
        return -lost.reduce(0) { $0 + $1.length }
    }

    /// Operations that make this node's state out of the view's, or out of nothing.
    var operations: [Operation] {
        var result: [Operation] = [.attributes(inode, attributes, isBorn: !isInView)]
        for range in erased.ranges { result.append(.zero(inode, offset: range.lowerBound, length: range.upperBound - range.lowerBound)) }
        for range in covered.ranges {
            result.append(.write(inode, offset: range.lowerBound, length: Int(clamping: range.upperBound - range.lowerBound)))
        }
        for (name, value) in extended { result.append(.extendedAttribute(inode, name: name, value: value)) }
        if let target { result.append(.symbolicLink(inode, target: target)) }
        return result
    }

    /// Runs `body` with all of `nodes` locked.
    static func locking<Value>(_ nodes: [OverlayNode], _ body: () throws(Errno) -> Value) throws(Errno) -> Value {
        var sorted: [OverlayNode] = []
        for node in nodes.sorted(by: { $0.inode < $1.inode }) where sorted.last?.inode != node.inode { sorted.append(node) }
        return try locking(sorted[...], body)
    }

    private static func locking<Value>(_ nodes: ArraySlice<OverlayNode>, _ body: () throws(Errno) -> Value) throws(Errno) -> Value {
        guard let first = nodes.first else { return try body() }
        return try first.lock.withLock { _ throws(Errno) in try locking(nodes.dropFirst(), body) }
    }
}
