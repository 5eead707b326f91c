/// Reads integers and byte strings front to back; every read is checked.
package struct ByteReader {
    private let bytes: [UInt8]
    private let end: Int
    package private(set) var position: Int

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
        end = bytes.count
        position = 0
    }

    /// Reads only `range`, which must lie within `bytes`.
    package init(_ bytes: [UInt8], in range: Range<Int>) throws(FormatError) {
        guard range.lowerBound >= 0, range.upperBound <= bytes.count else { throw .truncated }
        self.bytes = bytes
        end = range.upperBound
        position = range.lowerBound
    }

    package var remaining: Int { end &- position }
    package var isAtEnd: Bool { position == end }

    package mutating func byte() throws(FormatError) -> UInt8 {
        guard position < end else { throw .truncated }
        defer { position &+= 1 }
        return bytes[position]
    }

    /// LEB128: seven bits a byte, least significant first; at most ten bytes.
    package mutating func varint() throws(FormatError) -> UInt64 {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try byte()
            if shift == 63, byte > 1 { throw FormatError("a number is longer than 64 bits") }
            result |= UInt64(byte & 0x7F) &<< shift
            if byte & 0x80 == 0 { return result }
            shift &+= 7
            if shift > 63 { throw FormatError("a number is longer than 64 bits") }
        }
    }

    /// A signed number, zigzag-coded.
    package mutating func signedVarint() throws(FormatError) -> Int64 {
        let raw = try varint()
        return Int64(bitPattern: (raw &>> 1) ^ (0 &- (raw & 1)))
    }

    /// A number that counts things of at least `unit` bytes each, which the rest must be able to hold.
    package mutating func count(unit: Int) throws(FormatError) -> Int {
        let value = try varint()
        guard value <= UInt64(remaining / max(1, unit)) else { throw FormatError("a count is larger than what follows") }
        return Int(value)
    }

    package mutating func fixed16() throws(FormatError) -> UInt16 { UInt16(truncatingIfNeeded: try fixed(2)) }
    package mutating func fixed32() throws(FormatError) -> UInt32 { UInt32(truncatingIfNeeded: try fixed(4)) }
    package mutating func fixed64() throws(FormatError) -> UInt64 { try fixed(8) }

    private mutating func fixed(_ width: Int) throws(FormatError) -> UInt64 {
        guard remaining >= width else { throw .truncated }
        var value: UInt64 = 0
        for index in 0..<width { value |= UInt64(bytes[position &+ index]) &<< UInt64(index &* 8) }
        position &+= width
        return value
    }

    package mutating func bytes(_ count: Int) throws(FormatError) -> [UInt8] {
        guard count >= 0, remaining >= count else { throw .truncated }
        defer { position &+= count }
        return Array(bytes[position..<position &+ count])
    }

    package mutating func skip(_ count: Int) throws(FormatError) {
        guard count >= 0, remaining >= count else { throw .truncated }
        position &+= count
    }

    /// A length and that many bytes.
    package mutating func string() throws(FormatError) -> [UInt8] { try bytes(count(unit: 1)) }
}
