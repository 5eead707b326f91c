/// Writes what `ByteReader` reads.
package struct ByteWriter {
    package private(set) var bytes: [UInt8] = []

    package init() {}
    package init(reserving capacity: Int) { bytes.reserveCapacity(capacity) }

    package var count: Int { bytes.count }

    package mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    package mutating func byte(_ value: UInt8) { bytes.append(value) }

    package mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    package mutating func varint(_ value: Int) { varint(UInt64(value)) }

    package mutating func signedVarint(_ value: Int64) {
        varint(UInt64(bitPattern: (value &<< 1) ^ (value &>> 63)))
    }

    package mutating func fixed16(_ value: UInt16) { fixed(UInt64(value), 2) }
    package mutating func fixed32(_ value: UInt32) { fixed(UInt64(value), 4) }
    package mutating func fixed64(_ value: UInt64) { fixed(value, 8) }

    private mutating func fixed(_ value: UInt64, _ width: Int) {
        for index in 0..<width { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(index * 8))) }
    }

    package mutating func raw(_ more: [UInt8]) { bytes.append(contentsOf: more) }
    package mutating func raw(_ more: ArraySlice<UInt8>) { bytes.append(contentsOf: more) }

    package mutating func string(_ text: [UInt8]) {
        varint(text.count)
        bytes.append(contentsOf: text)
    }
}
