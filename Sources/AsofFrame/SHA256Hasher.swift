import CCrypto

/// SHA-256 of bytes that arrive in pieces. A value: a copy goes on from where it was taken.
package struct SHA256Hasher: Sendable {
    package static let length = 32

    private var state = SHA256_CTX()

    package init() { SHA256_Init(&state) }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        SHA256_Update(&state, start, bytes.count)
    }

    package mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { update($0) }
    }

    /// The hash of everything so far, 32 bytes. More can follow: the state stays as it was.
    package func finish() -> [UInt8] {
        var copy = state
        return [UInt8](unsafeUninitializedCapacity: SHA256Hasher.length) { buffer, count in
            SHA256_Final(buffer.baseAddress, &copy)
            count = SHA256Hasher.length
        }
    }

    package static func hash(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var hasher = SHA256Hasher()
        hasher.update(bytes)
        return hasher.finish()
    }

    package static func hash(_ bytes: [UInt8]) -> [UInt8] {
        var hasher = SHA256Hasher()
        hasher.update(bytes)
        return hasher.finish()
    }
}
