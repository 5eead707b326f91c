import AsofCore
import AsofFormat
import AsofTestSupport
import Testing
@testable import AsofOverlay

/// Checkpoints: what is read is what was written, and whatever else is read is an error or a table, never a trap.
struct OverlayTableTests {
    /// A table of random operations.
    private func table(seed: UInt64) -> OverlayTree.State {
        var random = SplitMix64(seed: seed)
        var state = OverlayTree.State()
        for number in 0..<UInt64(20 + random.below(40)) {
            let isBorn = random.chance(50)
            let inode = InodeNumber(isBorn ? OverlayTree.firstNumber.rawValue + number : number + 1)
            let attributes = Attributes(
                mode: random.chance(30) ? 0o040755 : 0o100644, links: 1, size: UInt64(random.below(1 << 20)), modified: Instant(nanoseconds: 5), changed: Instant(nanoseconds: 7))
            state.apply(.attributes(inode, attributes, isBorn: isBorn))
            for _ in 0..<random.below(6) {
                let offset = UInt64(random.below(1 << 20))
                switch random.below(5) {
                case 0: state.apply(.truncate(inode, size: offset))
                case 1: state.apply(.zero(inode, offset: offset, length: UInt64(random.below(1 << 16))))
                case 2: state.apply(.extendedAttribute(inode, name: Name("user.a\(random.below(3))") ?? Name(unchecked: [1]), value: random.chance(70) ? random.bytes(9) : nil))
                default: state.apply(.write(inode, offset: offset, length: random.below(1 << 16)))
                }
            }
            state.apply(.entry(parent: .root, name: Name(unchecked: random.bytes(8).map { $0 | 1 == 0x2F ? 0x30 : $0 | 1 }), target: random.chance(80) ? inode : nil))
        }
        return state
    }

    private func summary(_ state: OverlayTree.State) -> [String] {
        let nodes = state.nodes.values.map { node in
            "\(node.inode) \(node.isInView) \(node.attributes) \(Array(node.covered.ranges)) \(Array(node.erased.ranges)) \(node.extended.sorted { $0.key < $1.key })"
        }
        let names = state.entries.flatMap { parent, names in names.map { "\(parent)/\($0.key.bytes) \($0.value.map(\.description) ?? "-")" } }
        return (nodes + names).sorted() + ["\(state.next)"]
    }

    @Test(arguments: 1...30 as ClosedRange<UInt64>)
    func `a checkpoint is read as it was written`(seed: UInt64) throws {
        let state = table(seed: seed)
        let read = try OverlayTable(decoding: OverlayTable.encode(state, lsn: LSN(seed)))
        #expect(read.lsn == LSN(seed))
        #expect(summary(read.state) == summary(state))
    }

    @Test func `as many long values as anybody likes are read as they were written`() throws {
        var state = OverlayTree.State()
        let inode = InodeNumber(7)
        state.apply(.attributes(inode, Attributes(mode: 0o100644, links: 1, size: 0, modified: Instant(nanoseconds: 5), changed: Instant(nanoseconds: 7)), isBorn: false))
        for number in 0..<1500 { state.apply(.extendedAttribute(inode, name: try #require(Name("user.\(number)")), value: [UInt8](repeating: 7, count: 64 << 10))) }
        let read = try OverlayTable(decoding: OverlayTable.encode(state, lsn: LSN(1)))
        #expect(read.state.nodes[inode]?.extended.count == 1500)
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `damage is an error, and never a trap`(seed: UInt64) throws {
        let whole = OverlayTable.encode(table(seed: seed), lsn: LSN(seed))
        var random = SplitMix64(seed: seed)
        for _ in 0..<300 {
            var bytes = whole
            if random.chance(30) { bytes.removeLast(1 + random.below(bytes.count)) }
            for _ in 0..<random.below(4) where !bytes.isEmpty { bytes[random.below(bytes.count)] ^= UInt8(1 << random.below(8)) }
            guard bytes != whole else { continue }
            #expect(throws: FormatError.self) { try OverlayTable(decoding: bytes) }
        }
    }

    /// What checksums do not catch: tables of somebody who makes them.
    @Test func `absurd operations are taken or refused`() throws {
        var state = OverlayTree.State()
        let attributes = Attributes(mode: 0o100644, links: 1, size: .max, modified: .distantPast, changed: .distantPast)
        for operation: AsofCore.Operation in [
            .attributes(InodeNumber(.max), attributes, isBorn: true), .write(InodeNumber(.max), offset: .max, length: .max), .truncate(InodeNumber(.max), size: 0),
            .zero(InodeNumber(.max), offset: .max, length: .max), .write(InodeNumber(7), offset: 0, length: 1), .entry(parent: InodeNumber(.max), name: Name(unchecked: [0x2F]), target: .root),
        ] { state.apply(operation) }
        let read = try OverlayTable(decoding: OverlayTable.encode(state, lsn: .zero))
        #expect(read.state.nodes.count == 1)
        #expect(read.state.next == OverlayTree.firstNumber)
    }
}
