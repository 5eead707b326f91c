internal import AsofCapture
internal import AsofCore
internal import AsofFormat
internal import AsofSystem
internal import CLinux
internal import Glibc

/// A checkpoint: the whole overlay but for its bytes, as the operations that make it out of the view.
///
///     "ASOFOVL1" | LSN u64 | next inode u64 | blocks | CRC32C u32 of the 24 bytes before
///     then each block: length u32 | CRC32C u32 | operations        then a block of length 0
struct OverlayTable {
    /// The newest transaction that it holds.
    var lsn = LSN.zero
    var state = OverlayTree.State()

    static let name = "table"
    private static let magic = Array("ASOFOVL1".utf8)
    private static let operationsInBlock = 4096
    /// Bytes of names and values in a block, about: they can be long.
    private static let bytesInBlock = 1 << 20

    /// What is written for a state; to be called while nothing changes it.
    static func encode(_ state: OverlayTree.State, lsn: LSN) -> [UInt8] {
        var writer = ByteWriter(reserving: 1 << 16)
        writer.raw(magic)
        writer.fixed64(lsn.rawValue)
        writer.fixed64(state.next.rawValue)
        writer.fixed32(sum(writer.bytes))
        var operations: [Operation] = []
        var length = 0
        func flush() {
            let block = ChangeJournal.encode(operations)
            writer.fixed32(UInt32(block.count))
            writer.fixed32(sum(block))
            writer.raw(block)
            operations.removeAll(keepingCapacity: true)
            length = 0
        }
        func add(_ operation: Operation) {
            operations.append(operation)
            if case .extendedAttribute(_, let name, let value) = operation { length += name.bytes.count + (value?.count ?? 0) }
            if case .symbolicLink(_, let target) = operation { length += target.count }
            if operations.count == operationsInBlock || length >= bytesInBlock { flush() }
        }
        for node in state.nodes.values { for operation in node.operations { add(operation) } }
        for (parent, names) in state.entries {
            for (name, target) in names { add(.entry(parent: parent, name: name, target: target)) }
        }
        if !operations.isEmpty { flush() }
        writer.fixed32(0)
        writer.fixed32(0)
        return writer.bytes
    }

    private static func sum(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { asof_crc32c(0, $0.baseAddress, $0.count) } }

    init() {}

    init(decoding bytes: [UInt8]) throws(FormatError) {
        var reader = ByteReader(bytes)
        guard try reader.bytes(Self.magic.count) == Self.magic else { throw FormatError("it is no table of an overlay") }
        lsn = LSN(try reader.fixed64())
        let next = InodeNumber(try reader.fixed64())
        guard try reader.fixed32() == Self.sum(Array(bytes[..<24])) else { throw FormatError("its head does not match its checksum") }
        while true {
            let length = Int(try reader.fixed32())
            let expected = try reader.fixed32()
            if length == 0 {
                guard expected == 0 else { throw FormatError("its end does not match its checksum") }
                break
            }
            let block = try reader.bytes(length)
            guard Self.sum(block) == expected else { throw FormatError("a block does not match its checksum") }
            for operation in try ChangeJournal.decode(block) { state.apply(operation) }
        }
        guard reader.isAtEnd else { throw FormatError("something follows its end") }
        guard next <= InodeNumber(OverlayTree.lastNumber.rawValue + 1) else { throw FormatError("its next number is too large") }
        state.next = max(next, state.next)
    }
}
