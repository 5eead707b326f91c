internal import AsofCore
internal import AsofFormat

/// Bodies of journal records. Read back by the sealer a moment later, or after a crash; never archived.
enum JournalCodec {
    /// A commit: what was done, and the intent whose bytes its writes point into.
    struct Commit {
        var lsn: LSN
        var time: Instant
        var verb: Verb
        /// Positions of the intents' records, which hold the payload, in its order, unless `reference` says where it is.
        var intents: [UInt64]
        /// Positions of further intents that carry the operations, where those are too many for one record.
        var parts: [UInt64]
        var reference: Reference?
        var operations: [Operation]
    }

    /// Payload that is not in the journal: a transaction's one write stands in the file itself.
    struct Reference {
        /// A `StableHandle`.
        var handle: [UInt8]
        /// CRC32C of the bytes.
        var sum: UInt32
    }

    /// An intent: the inodes that are about to change; the payload of a write follows in the record.
    struct Intent {
        var inodes: [InodeNumber]
        /// Of a `redo` only: what it is going to be committed as, and the newest transaction when it was begun.
        var plan: (Plan, after: LSN)?
    }

    /// What an intent is going to be committed as.
    struct Plan {
        var verb: Verb
        /// As `encode(operations:)` gives them.
        var operations: [UInt8]
    }

    /// Lays a commit's body out, but for LSN and time: those are known only inside the order's lock.
    ///
    /// `operations`: as `encode(operations:)` gives them, when they do not stand in `parts`.
    static func encodeCommit(_ verb: Verb, intents: [UInt64], parts: [UInt64], _ reference: Reference?, _ operations: [UInt8]) -> [UInt8] {
        var writer = ByteWriter(reserving: 64 + operations.count)
        writer.fixed64(0)
        writer.fixed64(0)
        writer.byte(verb.rawValue)
        writer.varint(intents.count)
        for intent in intents { writer.fixed64(intent) }
        writer.varint(parts.count)
        for part in parts { writer.fixed64(part) }
        writer.string(reference?.handle ?? [])
        if let reference { writer.fixed32(reference.sum) }
        if parts.isEmpty { writer.raw(operations) }
        return writer.bytes
    }

    static func encode(operations: [Operation]) -> [UInt8] {
        var writer = ByteWriter(reserving: 128)
        writer.varint(operations.count)
        for operation in operations { encode(operation, into: &writer) }
        return writer.bytes
    }

    static let lsnOffset = 0
    static let timeOffset = 8

    /// `payload`: what the intent at a position carries.
    static func decodeCommit(
        _ body: UnsafeRawBufferPointer, payload: (UInt64) throws(FormatError) -> UnsafeRawBufferPointer
    ) throws(FormatError) -> Commit {
        var reader = ByteReader(Array(body))
        let lsn = LSN(try reader.fixed64())
        let time = Instant(nanoseconds: Int64(bitPattern: try reader.fixed64()))
        guard let verb = Verb(rawValue: try reader.byte()) else { throw FormatError("a transaction of unknown kind") }
        var intents: [UInt64] = []
        for _ in 0..<(try reader.count(unit: 8)) { intents.append(try reader.fixed64()) }
        var parts: [UInt64] = []
        for _ in 0..<(try reader.count(unit: 8)) { parts.append(try reader.fixed64()) }
        let handle = try reader.string()
        let reference = handle.isEmpty ? nil : Reference(handle: handle, sum: try reader.fixed32())
        if !parts.isEmpty {
            var bytes: [UInt8] = []
            for part in parts { bytes.append(contentsOf: try payload(part)) }
            reader = ByteReader(bytes)
        }
        let operations = try decodeOperations(&reader)
        return Commit(lsn: lsn, time: time, verb: verb, intents: intents, parts: parts, reference: reference, operations: operations)
    }

    /// What `encode(operations:)` made.
    static func decode(operations bytes: [UInt8]) throws(FormatError) -> [Operation] {
        var reader = ByteReader(bytes)
        return try decodeOperations(&reader)
    }

    private static func decodeOperations(_ reader: inout ByteReader) throws(FormatError) -> [Operation] {
        var operations: [Operation] = []
        for _ in 0..<(try reader.count(unit: 2)) { operations.append(try decode(&reader)) }
        return operations
    }

    /// Bytes before the copy in the body of a `kept` record: the intent's position.
    static let keptStart = 8

    /// Lays an intent's front out, but for the newest transaction's LSN at `afterOffset`: that is known only inside the order's lock.
    static func intentHeader(_ inodes: [InodeNumber], _ plan: Plan?) -> [UInt8] {
        var writer = ByteWriter(reserving: afterOffset(inodes) + (plan?.operations.count ?? 0) + 16)
        writer.fixed16(UInt16(inodes.count))
        for inode in inodes { writer.fixed64(inode.rawValue) }
        if let plan {
            writer.fixed64(0)
            writer.byte(plan.verb.rawValue)
            writer.fixed32(UInt32(plan.operations.count))
            writer.raw(plan.operations)
        }
        return writer.bytes
    }

    static func afterOffset(_ inodes: [InodeNumber]) -> Int { 2 + inodes.count * 8 }

    /// Where the payload begins in the body of a record of `kind`, `intent` or `redo`; nil: it is shorter than what it says of itself.
    static func payloadStart(_ body: UnsafeRawBufferPointer, _ kind: JournalRecord.Kind) -> Int? {
        guard body.count >= 2 else { return nil }
        var start = 2 + Int(UInt16(littleEndian: body.loadUnaligned(as: UInt16.self))) * 8
        if kind == .redo {
            guard body.count - start >= 13 else { return nil }
            start += 13 + Int(UInt32(littleEndian: body.loadUnaligned(fromByteOffset: start + 9, as: UInt32.self)))
        }
        return start <= body.count ? start : nil
    }

    /// The front of an intent's record.
    static func decodeIntent(_ body: UnsafeRawBufferPointer, _ kind: JournalRecord.Kind) throws(FormatError) -> Intent {
        guard let start = payloadStart(body, kind) else { throw FormatError("an intent is shorter than it says") }
        var reader = ByteReader(Array(body[..<start]))
        var inodes: [InodeNumber] = []
        for _ in 0..<(try reader.fixed16()) { inodes.append(InodeNumber(try reader.fixed64())) }
        guard kind == .redo else { return Intent(inodes: inodes) }
        let after = LSN(try reader.fixed64())
        guard let verb = Verb(rawValue: try reader.byte()) else { throw FormatError("an intent of unknown kind") }
        let length = try reader.fixed32()
        return Intent(inodes: inodes, plan: (Plan(verb: verb, operations: try reader.bytes(Int(length))), after))
    }

    private static func encode(_ operation: Operation, into writer: inout ByteWriter) {
        switch operation {
        case .entry(let parent, let name, let target):
            writer.byte(1)
            writer.varint(parent.rawValue)
            writer.string(name.bytes)
            writer.varint(target?.rawValue ?? 0)
        case .attributes(let inode, let attributes, let isBorn):
            writer.byte(isBorn ? 3 : 2)
            writer.varint(inode.rawValue)
            writer.varint(UInt64(attributes.mode))
            writer.varint(UInt64(attributes.links))
            writer.varint(UInt64(attributes.owner))
            writer.varint(UInt64(attributes.group))
            writer.varint(attributes.size)
            writer.varint(attributes.device)
            writer.fixed64(UInt64(bitPattern: attributes.modified.nanoseconds))
            writer.fixed64(UInt64(bitPattern: attributes.changed.nanoseconds))
        case .write(let inode, let offset, let length):
            writer.byte(4)
            writer.varint(inode.rawValue)
            writer.varint(offset)
            writer.varint(length)
        case .truncate(let inode, let size):
            writer.byte(5)
            writer.varint(inode.rawValue)
            writer.varint(size)
        case .zero(let inode, let offset, let length):
            writer.byte(6)
            writer.varint(inode.rawValue)
            writer.varint(offset)
            writer.varint(length)
        case .extendedAttribute(let inode, let name, let value):
            writer.byte(value == nil ? 8 : 7)
            writer.varint(inode.rawValue)
            writer.string(name.bytes)
            if let value { writer.string(value) }
        case .symbolicLink(let inode, let target):
            writer.byte(9)
            writer.varint(inode.rawValue)
            writer.string(target)
        }
    }

    private static func decode(_ reader: inout ByteReader) throws(FormatError) -> Operation {
        let tag = try reader.byte()
        let inode = InodeNumber(try reader.varint())
        switch tag {
        case 1:
            let name = Name(unchecked: try reader.string())
            let target = try reader.varint()
            return .entry(parent: inode, name: name, target: target == 0 ? nil : InodeNumber(target))
        case 2, 3:
            func narrow() throws(FormatError) -> UInt32 { UInt32(truncatingIfNeeded: try reader.varint()) }
            let attributes = Attributes(
                mode: try narrow(), links: try narrow(), owner: try narrow(), group: try narrow(), size: try reader.varint(),
                device: try reader.varint(), modified: Instant(nanoseconds: Int64(bitPattern: try reader.fixed64())),
                changed: Instant(nanoseconds: Int64(bitPattern: try reader.fixed64())))
            return .attributes(inode, attributes, isBorn: tag == 3)
        case 4:
            let offset = try reader.varint()
            guard let length = Int(exactly: try reader.varint()) else { throw FormatError("a write is too long") }
            return .write(inode, offset: offset, length: length)
        case 5: return .truncate(inode, size: try reader.varint())
        case 6: return .zero(inode, offset: try reader.varint(), length: try reader.varint())
        case 7: return .extendedAttribute(inode, name: Name(unchecked: try reader.string()), value: try reader.string())
        case 8: return .extendedAttribute(inode, name: Name(unchecked: try reader.string()), value: nil)
        case 9: return .symbolicLink(inode, target: try reader.string())
        default: throw FormatError("an operation of unknown kind")
        }
    }
}
