/// The name that a node had when it wrote its data directory: the one under which RAFT and the placement of shards know it.
package enum NodeName {
    /// The names of a RAFT configuration in `raft/raft.db`. It stands there as MessagePack, in a log entry that pages of the file hold whole: a map of
    /// Address, ID and Suffrage for each server.
    package static func inDatabase(_ bytes: [UInt8]) -> Set<String> {
        let (key, following) = (Array("\u{2}ID".utf8), [Array("Suffrage".utf8), Array("Address".utf8)])
        var names: Set<String> = []
        var index = 0
        while let found = bytes[index...].firstIndex(of: 0xA0 | key[0]) {
            index = found + 1
            guard bytes[index...].starts(with: key[1...]), let (name, end) = text(bytes, at: index + 2), end < bytes.count else { continue }
            let isEntry = following.contains { bytes[end] == 0xA0 | UInt8($0.count) && bytes[(end + 1)...].starts(with: $0) }
            if isEntry, isName(name) { names.insert(String(decoding: name, as: UTF8.self)) }
        }
        return names
    }

    /// The names of the configuration in a `meta.json` of `raft/snapshots`.
    package static func inSnapshotDescription(_ bytes: [UInt8]) -> Set<String> {
        guard let start = after(#""Servers":["#, in: bytes[...]) else { return [] }
        var names: Set<String> = []
        var rest = bytes[start...].prefix { $0 != UInt8(ascii: "]") }
        while let start = after(#""ID":""#, in: rest) {
            let name = rest[start...].prefix { $0 != UInt8(ascii: "\"") }
            if isName(name) { names.insert(String(decoding: name, as: UTF8.self)) }
            rest = rest[name.endIndex...]
        }
        return names
    }

    /// A MessagePack string of up to 255 bytes.
    private static func text(_ bytes: [UInt8], at index: Int) -> (ArraySlice<UInt8>, end: Int)? {
        guard index < bytes.count else { return nil }
        var (start, length) = (index + 1, Int(bytes[index] & 0x1F))
        if bytes[index] == 0xD9 {
            guard start < bytes.count else { return nil }
            (start, length) = (start + 1, Int(bytes[start]))
        } else if bytes[index] & 0xE0 != 0xA0 {
            return nil
        }
        guard start + length <= bytes.count else { return nil }
        return (bytes[start..<start + length], start + length)
    }

    private static func isName(_ bytes: ArraySlice<UInt8>) -> Bool {
        (1...253).contains(bytes.count) && bytes.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
    }

    private static func after(_ text: String, in bytes: ArraySlice<UInt8>) -> Int? {
        let wanted = Array(text.utf8)
        var rest = bytes
        while let found = rest.firstIndex(of: wanted[0]) {
            rest = rest[found...]
            if rest.starts(with: wanted) { return found + wanted.count }
            rest = rest.dropFirst()
        }
        return nil
    }
}
