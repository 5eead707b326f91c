internal import AsofCore

/// A page of an index, decoded: sorted keys with their values still in bytes.
///
///     entry = shared varint | rest length varint | rest | value length varint | value
package struct IndexPage: Sendable {
    package let keys: [IndexKey]
    private let values: [Range<Int>]
    private let bytes: [UInt8]

    package init(decoding bytes: [UInt8]) throws(FormatError) {
        var reader = ByteReader(bytes)
        var keys: [IndexKey] = []
        var values: [Range<Int>] = []
        var previous: [UInt8] = []
        while !reader.isAtEnd {
            let shared = try reader.varint()
            guard shared <= UInt64(previous.count) else { throw FormatError("a key shares more than the one before has") }
            var key = Array(previous[0..<Int(shared)])
            key.append(contentsOf: try reader.string())
            guard let parsed = IndexKey(bytes: key) else { throw FormatError("bytes that are no key") }
            if let last = keys.last, last >= parsed { throw FormatError("keys are not sorted") }
            let length = try reader.count(unit: 1)
            values.append(reader.position..<reader.position + length)
            try reader.skip(length)
            keys.append(parsed)
            previous = key
        }
        guard !keys.isEmpty else { throw FormatError("an index page is empty") }
        self.keys = keys
        self.values = values
        self.bytes = bytes
    }

    /// Bytes of memory, about.
    package var cost: Int { bytes.count + keys.count * 96 }

    package func value(at index: Int, objects: Int) throws(FormatError) -> IndexValue {
        try IndexValue(key: keys[index], bytes: bytes, in: values[index], objects: objects)
    }

    /// The first key that is not smaller than `key`.
    package func lowerBound(_ key: IndexKey) -> Int {
        var low = 0
        var high = keys.count
        while low < high {
            let middle = (low + high) / 2
            if keys[middle] < key { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// Builds the plain bytes of one page.
package struct IndexPageBuilder {
    private var writer = ByteWriter()
    private var value = ByteWriter()
    private var previous: [UInt8] = []
    package private(set) var firstKey: IndexKey?

    package init() {}

    package var isEmpty: Bool { firstKey == nil }
    package var count: Int { writer.count }

    package mutating func append(_ key: IndexKey, _ content: IndexValue) {
        var shared = 0
        let limit = min(previous.count, key.bytes.count)
        while shared < limit, previous[shared] == key.bytes[shared] { shared += 1 }
        writer.varint(shared)
        writer.varint(key.bytes.count - shared)
        writer.raw(key.bytes[shared...])
        value.removeAll()
        content.encode(into: &value)
        writer.string(value.bytes)
        previous = key.bytes
        if firstKey == nil { firstKey = key }
    }

    package mutating func take() -> (firstKey: IndexKey, bytes: [UInt8])? {
        guard let key = firstKey else { return nil }
        defer {
            writer.removeAll()
            previous = []
            firstKey = nil
        }
        return (key, writer.bytes)
    }
}
