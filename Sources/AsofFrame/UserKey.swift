package import AsofCore

/// The key that a user keeps: 32 bytes that wrap the data key of a repository.
package struct UserKey: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package static let length = SecretBytes.keyLength

    let secret: SecretBytes

    /// Nil unless there are exactly 32 bytes.
    package init?(bytes: [UInt8]) {
        guard bytes.count == UserKey.length else { return nil }
        secret = SecretBytes(bytes)
    }

    /// Reads what a key file or variable holds: 32 bytes as they are, or 64 hexadecimal digits, or the base64 of 32 bytes, the
    /// texts with white space around them or without.
    ///
    /// Throws `.key`; the message says the length and nothing of the content.
    package static func parse(_ bytes: [UInt8]) throws(AsofError) -> UserKey {
        if let key = UserKey(bytes: bytes) { return key }
        let text = bytes.trimmingWhiteSpace()
        if text.count == 2 * length, let decoded = Hex.decode(text), let key = UserKey(bytes: decoded) { return key }
        if let decoded = Base64.decode(text), let key = UserKey(bytes: decoded) { return key }
        throw AsofError(
            .key, "not a key: \(bytes.count) bytes that are neither a key of 32 bytes nor its hexadecimal or base64 text",
            hint: "make one with: openssl rand -hex 32 > FILE")
    }

    package var description: String { "UserKey(…)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension [UInt8] {
    fileprivate func trimmingWhiteSpace() -> ArraySlice<UInt8> {
        let isWhite: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
        guard let first = firstIndex(where: { !isWhite($0) }), let last = lastIndex(where: { !isWhite($0) }) else { return [] }
        return self[first...last]
    }
}
