/// One component of a path: 1 to 255 bytes, any but `/` and NUL. Not necessarily UTF-8.
package struct Name: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let bytes: [UInt8]

    /// Takes bytes that are already known to be a name (from the kernel, or checked by a decoder).
    package init(unchecked bytes: [UInt8]) { self.bytes = bytes }

    /// Nil unless `bytes` can be the name of a directory entry.
    package init?(_ bytes: some Collection<UInt8>) {
        guard (1...255).contains(bytes.count), !bytes.contains(0x2F), !bytes.contains(0) else { return nil }
        let copy = Array(bytes)
        guard copy != [0x2E], copy != [0x2E, 0x2E] else { return nil }
        self.bytes = copy
    }

    package init?(_ string: String) { self.init(Array(string.utf8)) }

    package static func < (left: Name, right: Name) -> Bool { left.bytes.lexicographicallyPrecedes(right.bytes) }

    /// Readable text; bytes that are not UTF-8 show as replacement characters.
    package var description: String { String(decoding: bytes, as: UTF8.self) }
}
