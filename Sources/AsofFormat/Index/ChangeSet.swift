package import AsofCore

/// The net effect of a stretch of the log: what its transactions, applied in order, changed. A segment's index is a sorted rendering of it;
/// a view whose cut lies inside a segment builds one from the operations up to the cut.
package final class ChangeSet {
    package final class Inode {
        package fileprivate(set) var attributes: Attributes?
        package fileprivate(set) var isBornHere = false
        package fileprivate(set) var erased = ErasedRanges()
        package fileprivate(set) var target: [UInt8]?
        package fileprivate(set) var extendedAttributes: [Name: [UInt8]?] = [:]
        package fileprivate(set) var entries: [Name: Entry] = [:]
        package fileprivate(set) var chunks: [UInt64: ExtentMap] = [:]
    }

    package struct Entry {
        package fileprivate(set) var target: InodeNumber?
        /// The name did not exist before this stretch: when it goes again, nothing needs to be said of it.
        fileprivate var isNew: Bool
    }

    package private(set) var inodes: [InodeNumber: Inode] = [:]

    package init() {}

    package var isEmpty: Bool { inodes.isEmpty }

    /// Applies a transaction. `extents(i)` says where the payload of `operations[i]`, a write, lies.
    package func apply(_ operations: [Operation], verb: Verb, extents: (Int) -> [Extent]) {
        // A client makes an inode only under a name that is free. A comparison may find a new file under a name that meant another.
        var born: Set<InodeNumber> = []
        if verb.isCall {
            for operation in operations { if case .attributes(let inode, _, isBorn: true) = operation { born.insert(inode) } }
        }
        for (index, operation) in operations.enumerated() {
            switch operation {
            case .entry(let parent, let name, let target):
                setEntry(parent, name, target, targetIsBorn: target.map(born.contains) ?? false)
            case .attributes(let inode, let attributes, let isBorn):
                set(attributes, of: inode, isBorn: isBorn)
            case .write(let inode, _, let length):
                if length > 0 { write(extents(index), to: inode) }
            case .truncate(let inode, let size):
                erase(size..<UInt64.max, of: inode)
            case .zero(let inode, let offset, let length):
                let (end, overflow) = offset.addingReportingOverflow(length)
                zero(offset..<(overflow ? .max : end), of: inode)
            case .extendedAttribute(let inode, let name, let value):
                change(inode).extendedAttributes[name] = .some(value)
            case .symbolicLink(let inode, let target):
                change(inode).target = target
            }
        }
    }

    private func change(_ inode: InodeNumber) -> Inode {
        if let known = inodes[inode] { return known }
        let new = Inode()
        inodes[inode] = new
        return new
    }

    private func setEntry(_ parent: InodeNumber, _ name: Name, _ target: InodeNumber?, targetIsBorn: Bool) {
        let directory = change(parent)
        let isNew = directory.entries[name]?.isNew ?? (directory.isBornHere || targetIsBorn)
        if target == nil, isNew {
            directory.entries[name] = nil
            // Forgotten names of a directory that was born here stay new; of another, absence is what older layers say.
        } else {
            directory.entries[name] = Entry(target: target, isNew: isNew)
        }
    }

    private func set(_ attributes: Attributes, of number: InodeNumber, isBorn: Bool) {
        if attributes.links == 0 {
            if inodes[number]?.isBornHere ?? isBorn {
                inodes[number] = nil
            } else {
                let inode = Inode()
                inode.attributes = attributes
                inode.erased.insert(0..<UInt64.max)
                inodes[number] = inode
            }
            return
        }
        let inode = change(number)
        inode.attributes = attributes
        if isBorn {
            inode.isBornHere = true
            inode.erased.insert(0..<UInt64.max)
        }
    }

    private func write(_ extents: [Extent], to number: InodeNumber) {
        let inode = change(number)
        for extent in extents { inode.chunks[Chunk.index(of: extent.start), default: ExtentMap()].overwrite(extent) }
    }

    /// What is written here goes, and so does what older layers know.
    private func erase(_ range: Range<UInt64>, of number: InodeNumber) {
        let inode = change(number)
        inode.erased.insert(range)
        for index in Array(inode.chunks.keys) where Chunk.range(index).overlaps(range) {
            inode.chunks[index]?.remove(range)
            if inode.chunks[index]?.isEmpty ?? false { inode.chunks[index] = nil }
        }
    }

    /// A few chunks get zero extents; a hole over very many is one erased range, whatever its size.
    private func zero(_ range: Range<UInt64>, of number: InodeNumber) {
        guard !range.isEmpty else { return }
        let first = Chunk.index(of: range.lowerBound)
        let last = Chunk.index(of: range.upperBound - 1)
        guard last - first < 64 else { return erase(range, of: number) }
        let inode = change(number)
        for index in first...last {
            let part = Chunk.range(index).clamped(to: range)
            guard !part.isEmpty else { continue }
            inode.chunks[index, default: ExtentMap()].overwrite(
                .zero(start: part.lowerBound, length: part.upperBound - part.lowerBound))
        }
    }

    /// Everything, as an index has it: sorted by key.
    package func sortedEntries(_ body: (IndexKey, IndexValue) throws(FormatError) -> Void) throws(FormatError) {
        for number in inodes.keys.sorted() {
            guard let inode = inodes[number] else { continue }
            if let attributes = inode.attributes { try body(.inode(number), .inode(attributes, erased: inode.erased)) }
            if let target = inode.target { try body(.symbolicLink(number), .symbolicLink(target: target)) }
            for name in inode.extendedAttributes.keys.sorted() {
                if let value = inode.extendedAttributes[name] {
                    try body(.extendedAttribute(number, name), .extendedAttribute(value))
                }
            }
            for name in inode.entries.keys.sorted() {
                if let entry = inode.entries[name] { try body(.entry(number, name), .entry(entry.target)) }
            }
            for index in inode.chunks.keys.sorted() {
                if let map = inode.chunks[index], !map.isEmpty { try body(.chunk(number, index), .chunk(map)) }
            }
        }
    }
}
