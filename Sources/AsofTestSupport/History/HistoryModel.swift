package import AsofCore

/// A directory in memory that obeys operations as naively as possible: what views are compared with.
package struct HistoryModel: Sendable {
    package struct Inode: Sendable {
        package var attributes: Attributes?
        package var content = SparseBytes()
        package var target: [UInt8]?
        package var extendedAttributes: [Name: [UInt8]] = [:]
        package var entries: [Name: InodeNumber] = [:]
        /// Blocks that were ever written or zeroed, and those at cuts: where differences show.
        package var touched: Set<UInt64> = [0]
    }

    package private(set) var inodes: [InodeNumber: Inode] = [:]

    package init() {}

    /// Nil: gone, or never there.
    package func attributes(of inode: InodeNumber) -> Attributes? {
        guard let attributes = inodes[inode]?.attributes, attributes.links > 0 else { return nil }
        return attributes
    }

    package mutating func apply(_ operations: [Operation], payload: [UInt8]) {
        var position = 0
        for operation in operations {
            var inode = inodes[operation.inode] ?? Inode()
            switch operation {
            case .entry(_, let name, let target): inode.entries[name] = target
            case .attributes(_, let attributes, _): inode.attributes = attributes
            case .write(_, let offset, let length):
                inode.content.write(Array(payload[position..<position + length]), at: offset)
                if length > 0 { inode.touch(offset..<offset + UInt64(length)) }
                position += length
            case .truncate(_, let size):
                inode.content.zero(size..<UInt64.max)
                inode.touch(size..<size + 1)
            case .zero(_, let offset, let length):
                inode.content.zero(offset..<offset + length)
                if length > 0 {
                    inode.touch(offset..<offset + 1)
                    inode.touch(offset + length - 1..<offset + length + 1)
                }
            case .extendedAttribute(_, let name, let value): inode.extendedAttributes[name] = value
            case .symbolicLink(_, let target): inode.target = target
            }
            inodes[operation.inode] = inode
        }
    }
}

extension HistoryModel.Inode {
    fileprivate mutating func touch(_ range: Range<UInt64>) {
        let first = range.lowerBound / SparseBytes.blockLength
        let last = (range.upperBound - 1) / SparseBytes.blockLength
        // Of a long range its ends and some between: the middle of a write is like any other.
        if last - first < 8 {
            touched.formUnion(first...last)
        } else {
            touched.formUnion([first, first + 1, (first + last) / 2, last - 1, last])
            for boundary in stride(from: first / 64 * 64, through: last, by: 64) where boundary > first { touched.formUnion([boundary - 1, boundary]) }
        }
    }
}
