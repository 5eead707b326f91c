import AsofCore
import AsofFormat
import AsofTestSupport
import Testing

@Suite("Operation tables")
struct OperationTableTests {
    private let time = Instant(nanoseconds: 1_700_000_000_000_000_000)

    private func table(_ operations: [Operation], frames: [UInt32] = []) -> OperationTable {
        OperationTable(
            transactions: [Transaction(lsn: LSN(7), time: time, verb: .write, operations: operations)], frameLengths: frames)
    }

    @Test(arguments: 0..<30 as Range<UInt64>)
    func `random transactions come back`(seed: UInt64) throws {
        var history = RandomHistory(seed: seed)
        let transactions = (0..<40).map { _ in history.next().transaction }
        let length = transactions.reduce(0) { $0 + $1.payloadLength }
        let frames = (length + FrameBounds.payloadMax - 1) / FrameBounds.payloadMax
        let table = OperationTable(transactions: transactions, frameLengths: [UInt32](repeating: 99, count: frames))
        #expect(try OperationTable(decoding: table.encode()) == table, "seed \(seed)")
    }

    @Test func `limits and repetitions come back`() throws {
        let name = Name(unchecked: [0xFF] + [UInt8](repeating: 1, count: 254))
        var attributes = Attributes(mode: .max, links: .max, owner: .max, group: .max, size: UInt64(Int64.max), device: .max, modified: .distantPast, changed: .distantFuture)
        var operations: [Operation] = [
            .attributes(InodeNumber(.max), attributes, isBorn: true), .attributes(InodeNumber(.max), attributes, isBorn: false),
            .entry(parent: InodeNumber(1), name: name, target: InodeNumber(.max)), .entry(parent: InodeNumber(1), name: name, target: nil),
            .truncate(InodeNumber(3), size: .max), .zero(InodeNumber(3), offset: .max, length: .max),
            .extendedAttribute(InodeNumber(3), name: name, value: []), .extendedAttribute(InodeNumber(3), name: name, value: nil),
            .symbolicLink(InodeNumber(3), target: []), .write(InodeNumber(3), offset: UInt64(Int64.max) - 4, length: 4),
            .write(InodeNumber(3), offset: 0, length: 0),
        ]
        // Each field alone, then two inodes in turn.
        attributes.size = 0
        operations.append(.attributes(InodeNumber(.max), attributes, isBorn: false))
        attributes.device = 0
        operations.append(.attributes(InodeNumber(5), attributes, isBorn: false))
        attributes.changed = attributes.modified
        operations.append(.attributes(InodeNumber(.max), attributes, isBorn: false))
        let expected = table(operations, frames: [20])
        #expect(try OperationTable(decoding: expected.encode()) == expected)
    }

    @Test(arguments: [
        ("no frame for a write", [Operation.write(InodeNumber(2), offset: 0, length: 5)], [] as [UInt32]),
        ("a frame for no write", [], [20]),
        ("an empty frame", [.write(InodeNumber(2), offset: 0, length: 5)], [0]),
        ("a frame too few", [.write(InodeNumber(2), offset: 0, length: 262_145)], [20]),
        ("a frame too many", [.write(InodeNumber(2), offset: 0, length: 262_144)], [20, 20]),
        ("a name that means inode zero", [.entry(parent: InodeNumber(1), name: Name(unchecked: [0x61]), target: InodeNumber(0))], []),
        ("a write longer than a group may be", [.write(InodeNumber(2), offset: 0, length: 17 << 20)], [UInt32](repeating: 9, count: 68)),
        ("a write behind the end of any file", [.write(InodeNumber(2), offset: UInt64(Int64.max), length: 5)], [20]),
        ("a name with a slash", [.entry(parent: InodeNumber(1), name: Name(unchecked: [0x2F]), target: nil)], []),
    ])
    func `is refused`(what: String, operations: [Operation], frames: [UInt32]) {
        let bytes = table(operations, frames: frames).encode()
        #expect(throws: FormatError.self, "\(what)") { try OperationTable(decoding: bytes) }
    }

    @Test func `a new file in place of another does not count as a new name when a comparison found it`() throws {
        let name = try #require(Name("x"))
        let attributes = Attributes(mode: 0o100644, links: 1, modified: time, changed: time)
        let replacing: [Operation] = [.attributes(InodeNumber(9), attributes, isBorn: true), .entry(parent: .root, name: name, target: InodeNumber(9))]
        for (verb, isRemembered) in [(Verb.reconcile, true), (.create, false)] {
            let changes = ChangeSet()
            changes.apply(replacing, verb: verb) { _ in [] }
            changes.apply([.entry(parent: .root, name: name, target: nil)], verb: .unlink) { _ in [] }
            #expect((changes.inodes[.root]?.entries[name] != nil) == isRemembered, "\(verb)")
        }
    }
}
