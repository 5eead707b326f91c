package import AsofCore

/// The transactions of one group, in order, without their payload. Needed only by a view whose cut lies inside the group, by `asof log`
/// and by a replayer; `docs/format.md` has the bytes.
package struct OperationTable: Hashable, Sendable {
    package var transactions: [Transaction]
    /// Stored bytes of each payload frame of the group, in order; the frames end where the table's own frame begins.
    package var frameLengths: [UInt32]

    package init(transactions: [Transaction], frameLengths: [UInt32]) {
        self.transactions = transactions
        self.frameLengths = frameLengths
    }
}

extension OperationTable {
    package func encode() -> [UInt8] {
        var writer = ByteWriter(reserving: transactions.count * 24 + 64)
        writer.varint(frameLengths.count)
        for length in frameLengths { writer.varint(UInt64(length)) }
        writer.varint(transactions.count)
        writer.varint(transactions.first?.lsn.rawValue ?? 0)
        var codec = AttributesCodec()
        var time: Int64 = 0
        for transaction in transactions {
            writer.signedVarint(transaction.time.nanoseconds &- time)
            time = transaction.time.nanoseconds
            writer.byte(transaction.verb.rawValue)
            writer.varint(transaction.operations.count)
            for operation in transaction.operations { codec.encode(operation, at: time, into: &writer) }
        }
        return writer.bytes
    }

    package init(decoding bytes: [UInt8]) throws(FormatError) {
        var reader = ByteReader(bytes)
        let frames = try reader.count(unit: 1)
        frameLengths = []
        frameLengths.reserveCapacity(frames)
        for _ in 0..<frames { frameLengths.append(try reader.narrow32()) }
        let count = try reader.count(unit: 3)
        var lsn = LSN(try reader.varint())
        guard lsn.rawValue <= .max - UInt64(count) else { throw FormatError("transaction numbers overflow") }
        transactions = []
        transactions.reserveCapacity(count)
        var codec = AttributesCodec()
        var time: Int64 = 0
        for _ in 0..<count {
            time = time &+ (try reader.signedVarint())
            guard let verb = Verb(rawValue: try reader.byte()) else { throw FormatError("a transaction of unknown kind") }
            let size = try reader.count(unit: 2)
            var operations: [Operation] = []
            operations.reserveCapacity(size)
            for _ in 0..<size { operations.append(try codec.decode(at: time, from: &reader)) }
            transactions.append(
                Transaction(lsn: lsn, time: Instant(nanoseconds: time), verb: verb, operations: operations))
            lsn = lsn.next
        }
        guard reader.isAtEnd else { throw FormatError("bytes follow the last transaction") }
        try checkFrames()
    }
}

/// Codes operations; attributes as differences from what the same table last said of the inode, and of the transaction's own time.
private struct AttributesCodec {
    private enum Tag: UInt8 {
        case entry = 1, removal, attributes, birth, write, truncate, zero, extendedAttribute, extendedAttributeRemoval, symbolicLink
    }

    private struct Changed {
        static let mode: UInt8 = 1, links: UInt8 = 2, owner: UInt8 = 4, size: UInt8 = 8, impliedSize: UInt8 = 16
        static let modified: UInt8 = 32, changed: UInt8 = 64, device: UInt8 = 128
    }

    private var known: [InodeNumber: Attributes] = [:]
    private var lastWriteEnd: UInt64 = 0

    mutating func encode(_ operation: Operation, at time: Int64, into writer: inout ByteWriter) {
        func head(_ tag: Tag) {
            writer.byte(tag.rawValue)
            writer.varint(operation.inode.rawValue)
        }
        switch operation {
        case .entry(_, let name, let target):
            head(target == nil ? .removal : .entry)
            writer.string(name.bytes)
            if let target { writer.varint(target.rawValue) }
        case .attributes(let inode, let attributes, let isBorn):
            head(isBorn ? .birth : .attributes)
            encode(attributes, of: inode, at: time, into: &writer)
        case .write(_, let offset, let length):
            head(.write)
            writer.varint(offset)
            writer.varint(length)
            lastWriteEnd = offset &+ UInt64(length)
        case .truncate(_, let size):
            head(.truncate)
            writer.varint(size)
        case .zero(_, let offset, let length):
            head(.zero)
            writer.varint(offset)
            writer.varint(length)
        case .extendedAttribute(_, let name, let value):
            head(value == nil ? .extendedAttributeRemoval : .extendedAttribute)
            writer.string(name.bytes)
            if let value { writer.string(value) }
        case .symbolicLink(_, let target):
            head(.symbolicLink)
            writer.string(target)
        }
    }

    mutating func decode(at time: Int64, from reader: inout ByteReader) throws(FormatError) -> Operation {
        guard let tag = Tag(rawValue: try reader.byte()) else { throw FormatError("an operation of unknown kind") }
        let inode = InodeNumber(try reader.varint())
        switch tag {
        case .entry:
            let name = try name(&reader)
            let target = try reader.varint()
            guard target != 0 else { throw FormatError("a name means no inode") }
            return .entry(parent: inode, name: name, target: InodeNumber(target))
        case .removal: return .entry(parent: inode, name: try name(&reader), target: nil)
        case .attributes, .birth:
            return .attributes(inode, try attributes(of: inode, at: time, from: &reader), isBorn: tag == .birth)
        case .write:
            let offset = try reader.varint()
            let length = try reader.varint()
            guard length <= UInt64(FrameBounds.groupMax) * 4, offset <= UInt64(Int64.max) - length else {
                throw FormatError("a write is longer than a group")
            }
            lastWriteEnd = offset + length
            return .write(inode, offset: offset, length: Int(length))
        case .truncate: return .truncate(inode, size: try reader.varint())
        case .zero: return .zero(inode, offset: try reader.varint(), length: try reader.varint())
        case .extendedAttribute: return .extendedAttribute(inode, name: try attributeName(&reader), value: try reader.string())
        case .extendedAttributeRemoval: return .extendedAttribute(inode, name: try attributeName(&reader), value: nil)
        case .symbolicLink: return .symbolicLink(inode, target: try reader.string())
        }
    }

    private func name(_ reader: inout ByteReader) throws(FormatError) -> Name {
        guard let name = Name(try reader.string()) else { throw FormatError("bytes that are no name") }
        return name
    }

    private func attributeName(_ reader: inout ByteReader) throws(FormatError) -> Name {
        let bytes = try reader.string()
        guard (1...255).contains(bytes.count), !bytes.contains(0) else { throw FormatError("bytes that are no attribute's name") }
        return Name(unchecked: bytes)
    }

    private mutating func encode(_ attributes: Attributes, of inode: InodeNumber, at time: Int64, into writer: inout ByteWriter) {
        let old = known[inode] ?? Attributes.unknown
        known[inode] = attributes
        var mask: UInt8 = 0
        if attributes.mode != old.mode { mask |= Changed.mode }
        if attributes.links != old.links { mask |= Changed.links }
        if attributes.owner != old.owner || attributes.group != old.group { mask |= Changed.owner }
        if attributes.size != old.size { mask |= attributes.size == lastWriteEnd ? Changed.impliedSize : Changed.size }
        if attributes.modified != old.modified { mask |= Changed.modified }
        if attributes.changed != attributes.modified { mask |= Changed.changed }
        if attributes.device != old.device { mask |= Changed.device }
        writer.byte(mask)
        if mask & Changed.mode != 0 { writer.varint(UInt64(attributes.mode)) }
        if mask & Changed.links != 0 { writer.varint(UInt64(attributes.links)) }
        if mask & Changed.owner != 0 {
            writer.varint(UInt64(attributes.owner))
            writer.varint(UInt64(attributes.group))
        }
        if mask & Changed.size != 0 { writer.varint(attributes.size) }
        if mask & Changed.modified != 0 { writer.signedVarint(time &- attributes.modified.nanoseconds) }
        if mask & Changed.changed != 0 { writer.signedVarint(time &- attributes.changed.nanoseconds) }
        if mask & Changed.device != 0 { writer.varint(attributes.device) }
    }

    private mutating func attributes(
        of inode: InodeNumber, at time: Int64, from reader: inout ByteReader
    ) throws(FormatError) -> Attributes {
        var result = known[inode] ?? Attributes.unknown
        let mask = try reader.byte()
        if mask & Changed.mode != 0 { result.mode = try reader.narrow32() }
        if mask & Changed.links != 0 { result.links = try reader.narrow32() }
        if mask & Changed.owner != 0 {
            result.owner = try reader.narrow32()
            result.group = try reader.narrow32()
        }
        if mask & Changed.impliedSize != 0 { result.size = lastWriteEnd }
        if mask & Changed.size != 0 { result.size = try reader.varint() }
        guard result.size <= UInt64(Int64.max) else { throw FormatError("a size is larger than any file") }
        if mask & Changed.modified != 0 { result.modified = Instant(nanoseconds: time &- (try reader.signedVarint())) }
        result.changed = result.modified
        if mask & Changed.changed != 0 { result.changed = Instant(nanoseconds: time &- (try reader.signedVarint())) }
        if mask & Changed.device != 0 { result.device = try reader.varint() }
        known[inode] = result
        return result
    }
}

extension Attributes {
    /// What an inode is compared with when a table first mentions it.
    fileprivate static let unknown = Attributes(
        mode: 0o100644, links: 1, modified: Instant(nanoseconds: 0), changed: Instant(nanoseconds: 0))
}

extension OperationTable {
    /// As many frames as the writes fill, none empty: a write without its frame would read as what stood there before.
    private func checkFrames() throws(FormatError) {
        var length: UInt64 = 0
        for transaction in transactions {
            for operation in transaction.operations {
                let (sum, overflow) = length.addingReportingOverflow(UInt64(operation.payloadLength))
                guard !overflow else { throw FormatError("a group's payload overflows") }
                length = sum
            }
        }
        let (frames, rest) = length.quotientAndRemainder(dividingBy: UInt64(FrameBounds.payloadMax))
        guard UInt64(frameLengths.count) == frames + (rest > 0 ? 1 : 0), !frameLengths.contains(0) else {
            throw FormatError("a group has other frames than its writes fill")
        }
    }

    /// Offset and stored length of each payload frame of a group whose table's frame begins at `offset`.
    package func frames(endingAt offset: UInt64) throws(FormatError) -> [(offset: UInt64, length: UInt32)] {
        let total = frameLengths.reduce(UInt64(0)) { $0 &+ UInt64($1) }
        guard total <= offset else { throw FormatError("a group's frames begin before the object") }
        var position = offset - total
        return frameLengths.map { length in
            defer { position += UInt64(length) }
            return (position, length)
        }
    }
}
