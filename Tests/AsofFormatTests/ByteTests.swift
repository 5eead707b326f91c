import AsofFormat
import AsofTestSupport
import Testing

@Suite("Bytes: integers and strings")
struct ByteTests {
    @Test(arguments: [0, 1, 0x7F, 0x80, 0x3FFF, 0x4000, 1 << 31, 1 << 32, 1 << 63 - 1, 1 << 63, .max] as [UInt64])
    func `numbers come back`(value: UInt64) throws {
        var writer = ByteWriter()
        writer.varint(value)
        writer.signedVarint(Int64(bitPattern: value))
        writer.signedVarint(0 &- Int64(bitPattern: value))
        writer.fixed64(value)
        writer.fixed32(UInt32(truncatingIfNeeded: value))
        writer.fixed16(UInt16(truncatingIfNeeded: value))
        var reader = ByteReader(writer.bytes)
        #expect(try reader.varint() == value)
        #expect(try reader.signedVarint() == Int64(bitPattern: value))
        #expect(try reader.signedVarint() == 0 &- Int64(bitPattern: value))
        #expect(try reader.fixed64() == value)
        #expect(try reader.fixed32() == UInt32(truncatingIfNeeded: value))
        #expect(try reader.fixed16() == UInt16(truncatingIfNeeded: value))
        #expect(reader.isAtEnd)
    }

    @Test func `every beginning of what was written ends too early`() {
        var writer = ByteWriter()
        writer.varint(UInt64.max)
        writer.string([1, 2, 3])
        writer.fixed64(7)
        for count in 0..<writer.count {
            var reader = ByteReader(Array(writer.bytes[..<count]))
            #expect(throws: FormatError.self, "\(count) bytes") {
                _ = try reader.varint()
                _ = try reader.string()
                _ = try reader.fixed64()
            }
        }
    }

    @Test(arguments: [
        [UInt8](repeating: 0xFF, count: 10), [UInt8](repeating: 0x80, count: 10) + [1], [UInt8](repeating: 0xFF, count: 9) + [2], [0x80],
    ])
    func `numbers longer than 64 bits are refused`(bytes: [UInt8]) {
        var reader = ByteReader(bytes)
        #expect(throws: FormatError.self) { try reader.varint() }
    }

    @Test func `a count that the rest cannot hold is refused`() throws {
        for (claimed, unit, rest, isFine) in [(3, 1, 3, true), (4, 1, 3, false), (1, 4, 3, false), (0, 20, 0, true), (2, 0, 1, false)] {
            var writer = ByteWriter()
            writer.varint(claimed)
            writer.raw([UInt8](repeating: 0, count: rest))
            var reader = ByteReader(writer.bytes)
            #expect(((try? reader.count(unit: unit)) != nil) == isFine, "\(claimed) things of \(unit) bytes in \(rest)")
        }
        var writer = ByteWriter()
        writer.varint(UInt64.max)
        var reader = ByteReader(writer.bytes)
        #expect(throws: FormatError.self) { try reader.string() }
    }

    @Test func `a reader of a range stays within it`() throws {
        var reader = try ByteReader([9, 1, 2, 9], in: 1..<3)
        #expect(try reader.bytes(2) == [1, 2])
        #expect(throws: FormatError.self) { try reader.byte() }
        #expect(throws: FormatError.self) { try ByteReader([1], in: 0..<2) }
        #expect(throws: FormatError.self) { try reader.skip(-1) }
        #expect(throws: FormatError.self) { try reader.bytes(-1) }
    }
}
