package import AsofCore

/// Exactly the inodes that a run says anything about, as sorted ranges: a run that does not know an inode is never asked.
package struct InodeSet: Hashable, Sendable {
    /// Inclusive bounds, sorted, apart.
    private var ranges: [ClosedRange<UInt64>] = []

    package init() {}

    /// Adds an inode that is not smaller than any in the set.
    package mutating func append(_ inode: InodeNumber) {
        guard let last = ranges.last else { ranges = [inode.rawValue...inode.rawValue]; return }
        if last.upperBound == inode.rawValue { return }
        if last.upperBound &+ 1 == inode.rawValue {
            ranges[ranges.count - 1] = last.lowerBound...inode.rawValue
        } else {
            ranges.append(inode.rawValue...inode.rawValue)
        }
    }

    package func contains(_ inode: InodeNumber) -> Bool {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < inode.rawValue { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].lowerBound <= inode.rawValue
    }

    func encode(into writer: inout ByteWriter) {
        writer.varint(ranges.count)
        var position: UInt64 = 0
        for range in ranges {
            writer.varint(range.lowerBound - position)
            writer.varint(range.upperBound - range.lowerBound)
            position = range.upperBound
        }
    }

    init(from reader: inout ByteReader) throws(FormatError) {
        let count = try reader.count(unit: 2)
        var position: UInt64 = 0
        ranges.reserveCapacity(count)
        for index in 0..<count {
            let (lower, overflow) = position.addingReportingOverflow(try reader.varint())
            let (upper, overflow2) = lower.addingReportingOverflow(try reader.varint())
            guard !overflow, !overflow2, index == 0 || lower > position else { throw FormatError("the inode set is not sorted") }
            ranges.append(lower...upper)
            position = upper
        }
    }
}
