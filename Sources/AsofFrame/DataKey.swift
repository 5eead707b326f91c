/// The key that a repository's objects are sealed with: 32 random bytes, kept wrapped by the users' keys.
package struct DataKey: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package static let length = SecretBytes.keyLength

    let secret: SecretBytes

    /// Nil unless there are exactly 32 bytes.
    package init?(bytes: [UInt8]) {
        guard bytes.count == DataKey.length else { return nil }
        secret = SecretBytes(bytes)
    }

    private init(secret: SecretBytes) { self.secret = secret }

    package static func random() -> DataKey { DataKey(secret: SecretBytes(randomBytes(length))) }

    /// A key of 32 bytes for one purpose, by HKDF-SHA256. Different purposes or salts give keys that tell nothing of each other.
    package func derived(purpose: String, salt: [UInt8]) -> [UInt8] {
        secret.withBytes { hkdfSHA256(key: Array($0), salt: salt, info: Array(purpose.utf8), count: DataKey.length) }
    }

    package var description: String { "DataKey(…)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
