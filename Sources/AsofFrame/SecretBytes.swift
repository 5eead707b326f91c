import CCrypto

/// The bytes of a key: never printed, wiped when the last owner lets go.
///
/// `@unchecked Sendable`: the memory is written in `init` only, and freed when nobody can read it any more.
final class SecretBytes: @unchecked Sendable {
    static let keyLength = 32

    private let storage: UnsafeMutableBufferPointer<UInt8>

    init(_ bytes: [UInt8]) {
        storage = .allocate(capacity: bytes.count)
        _ = storage.initialize(from: bytes)
    }

    deinit {
        OPENSSL_cleanse(storage.baseAddress, storage.count)
        storage.deallocate()
    }

    /// The pointer is valid inside `body` only.
    func withBytes<Result, Failure: Error>(
        _ body: (UnsafeBufferPointer<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeBufferPointer(storage))
    }
}
