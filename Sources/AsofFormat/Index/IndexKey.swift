package import AsofCore

/// A key of the index. Sorted by its bytes: an inode's attributes, target, extended attributes, names and chunks stand together.
///
///     inode u64 BE | kind u8 | the rest, by kind
package struct IndexKey: Hashable, Comparable, Sendable {
    package enum Kind: UInt8, Sendable {
        /// Attributes and erased ranges; no rest.
        case inode = 0
        /// A symbolic link's target; no rest.
        case symbolicLink = 1
        /// rest: the attribute's name.
        case extendedAttribute = 2
        /// rest: the entry's name.
        case entry = 3
        /// rest: the chunk's number, u64 BE.
        case chunk = 4
    }

    package let bytes: [UInt8]

    private init(_ inode: InodeNumber, _ kind: Kind, rest: some Collection<UInt8>) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(9 + rest.count)
        Self.append(bigEndian: inode.rawValue, to: &bytes)
        bytes.append(kind.rawValue)
        bytes.append(contentsOf: rest)
        self.bytes = bytes
    }

    /// Nil for bytes that are no key.
    package init?(bytes: [UInt8]) {
        guard bytes.count >= 9, let kind = Kind(rawValue: bytes[8]) else { return nil }
        switch kind {
        case .inode, .symbolicLink: guard bytes.count == 9 else { return nil }
        case .extendedAttribute: guard bytes.count > 9 else { return nil }
        case .entry: guard Name(bytes[9...]) != nil else { return nil }
        case .chunk: guard bytes.count == 17 else { return nil }
        }
        self.bytes = bytes
    }

    package static func inode(_ inode: InodeNumber) -> IndexKey { IndexKey(inode, .inode, rest: []) }
    package static func symbolicLink(_ inode: InodeNumber) -> IndexKey { IndexKey(inode, .symbolicLink, rest: []) }
    package static func extendedAttribute(_ inode: InodeNumber, _ name: Name) -> IndexKey {
        IndexKey(inode, .extendedAttribute, rest: name.bytes)
    }
    package static func entry(_ parent: InodeNumber, _ name: Name) -> IndexKey { IndexKey(parent, .entry, rest: name.bytes) }
    package static func chunk(_ inode: InodeNumber, _ index: UInt64) -> IndexKey {
        var rest: [UInt8] = []
        append(bigEndian: index, to: &rest)
        return IndexKey(inode, .chunk, rest: rest)
    }
    /// Smaller than every key of the kind: where a scan of them starts.
    package static func first(_ inode: InodeNumber, _ kind: Kind) -> IndexKey { IndexKey(inode, kind, rest: []) }

    package var inode: InodeNumber { InodeNumber(Self.bigEndian(bytes[0..<8])) }
    package var kind: Kind? { Kind(rawValue: bytes[8]) }
    package var rest: ArraySlice<UInt8> { bytes[9...] }
    package var name: Name { Name(unchecked: Array(rest)) }
    package var chunk: UInt64 { Self.bigEndian(rest) }

    package static func < (left: IndexKey, right: IndexKey) -> Bool { left.bytes.lexicographicallyPrecedes(right.bytes) }

    private static func append(bigEndian value: UInt64, to bytes: inout [UInt8]) {
        for shift in stride(from: UInt64(56), through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    private static func bigEndian(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
}
