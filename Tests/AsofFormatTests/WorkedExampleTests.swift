import AsofCore
import AsofFormat
import AsofFrame
import AsofTestSupport
import Testing

/// The segment that `docs/format.md` shows in hexadecimal.
@Suite("docs/format.md")
struct WorkedExampleTests {
    private let id = ObjectID(bytes: Array(0..<16 as Range<UInt8>))
    private let time = Instant(nanoseconds: 1_700_000_000_000_000_000)

    /// Two transactions: the directory, then a file `a` that holds "hi".
    private var transactions: [Transaction] {
        let later = time.advanced(byNanoseconds: 1_000_000_000)
        return [
            Transaction(
                lsn: LSN(1), time: time, verb: .reconcile,
                operations: [.attributes(.root, Attributes(mode: 0o040755, links: 2, modified: time, changed: time), isBorn: true)]),
            Transaction(
                lsn: LSN(2), time: later, verb: .create,
                operations: [
                    .entry(parent: .root, name: Name(unchecked: [0x61]), target: InodeNumber(2)),
                    .write(InodeNumber(2), offset: 0, length: 2),
                    .attributes(InodeNumber(2), Attributes(mode: 0o100644, links: 1, size: 2, modified: later, changed: later), isBorn: true),
                ]),
        ]
    }

    private func segment() throws -> [UInt8] {
        let id = try #require(id)
        let builder = SegmentBuilder(
            header: ObjectHeader(kind: .segment, id: id, first: LSN(1), epoch: 1), timeline: "main", previousHash: [], highestInode: .root,
            sealer: FrameSealer(object: id, repository: id, dataKey: nil), compression: .none)
        var bytes = builder.begin()
        for transaction in transactions {
            let payload = transaction.payloadLength > 0 ? Array("hi".utf8) : []
            payload.withUnsafeBytes { builder.append(transaction, payload: $0) }
        }
        bytes += try builder.closeGroup()
        bytes += try builder.seal()
        return bytes
    }

    /// The bytes between the marks: on each line, digits before a bar.
    private func documented() throws -> [UInt8] {
        let text = try TextFile.read(#filePath, "../../../docs/format.md")
        let example = try #require(text.split(separator: "<!-- example -->", omittingEmptySubsequences: false).dropFirst().first)
        var digits: [UInt8] = []
        for line in example.split(separator: "\n") where line.contains("|") {
            digits += line.prefix { $0 != "|" }.utf8.filter { $0 != 0x20 }
        }
        var bytes: [UInt8] = []
        for start in stride(from: 0, to: digits.count - 1, by: 2) {
            bytes.append(try #require(UInt8(String(decoding: digits[start...start + 1], as: UTF8.self), radix: 16)))
        }
        return bytes
    }

    @Test func `the worked example is what this program writes`() throws {
        let written = try segment()
        let hex = written.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        #expect(try documented() == written, "this program writes \(hex)")
    }

    @Test func `the worked example is what this program reads`() throws {
        let bytes = try documented()
        let id = try #require(id)
        let header = try ObjectHeader(decoding: Array(bytes.prefix(ObjectHeader.length)))
        #expect(header == ObjectHeader(kind: .segment, id: id, first: LSN(1), epoch: 1))
        let sealer = FrameSealer(object: header.id, repository: id, dataKey: nil)
        let place = try ObjectTail.parseTrailer(Array(bytes.suffix(ObjectTail.trailerLength)), id: header.id)
        func content(_ offset: UInt64, _ length: UInt32, _ role: FrameRole) throws -> [UInt8] {
            let stored = Array(bytes[Int(offset)..<Int(offset) + Int(length)])
            return try Frames.decoded(stored, with: FrameDecoder(), role: role, offset: offset, sealer: sealer)
        }
        let tail = try ObjectTail(decoding: try content(place.offset, place.length, .tail))
        let group = try #require(tail.groups.first)
        let table = try OperationTable(decoding: try content(group.tableOffset, group.tableLength, .operations))
        #expect(table.transactions == transactions)
        let frame = try #require(try table.frames(endingAt: group.tableOffset).first)
        #expect(try content(frame.offset, frame.length, .payload) == Array("hi".utf8))
        let reference = try #require(tail.pages.first)
        let page = try IndexPage(decoding: try content(reference.offset, reference.length, .indexPage))
        #expect(page.keys == [.inode(.root), .entry(.root, Name(unchecked: [0x61])), .inode(InodeNumber(2)), .chunk(InodeNumber(2), 0)])
        let extent = Extent(start: 0, length: 2, object: 0, frameOffset: frame.offset, frameLength: frame.length, skip: 0)
        guard case .chunk(let map) = try page.value(at: 3, objects: 1) else { throw FormatError("no chunk") }
        #expect(map.extents == [extent])
    }
}
