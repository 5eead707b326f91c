import CCrypto

/// AES-256-GCM by libcrypto, with a context that is used again and again. For one thread at a time.
final class AESGCM {
    static let nonceLength = 12

    // Made on first use, so that what never seals pays nothing.
    private var sealing: OpaquePointer?
    private var opening: OpaquePointer?

    deinit {
        EVP_CIPHER_CTX_free(sealing)
        EVP_CIPHER_CTX_free(opening)
    }

    /// Writes ciphertext and tag: `target` is 16 bytes longer than `plain` and may start where `plain` starts.
    ///
    /// Throws `libraryFailure`. A key and nonce must never meet two different contents.
    func seal(
        _ plain: UnsafeRawBufferPointer, key: SecretBytes, nonce: [UInt8], additional: [UInt8],
        into target: UnsafeMutableRawBufferPointer
    ) throws(FrameError) {
        precondition(nonce.count == AESGCM.nonceLength && target.count == plain.count + FrameLimits.tagLength)
        let context = try AESGCM.context(&sealing, encrypts: true)
        var count: Int32 = 0
        var ignored: Int32 = 0
        let output = target.assumingMemoryBound(to: UInt8.self)
        try AESGCM.check(
            key.withBytes { EVP_EncryptInit_ex(context, nil, nil, $0.baseAddress, nonce) }, "start encrypting")
        try AESGCM.check(
            EVP_EncryptUpdate(context, nil, &ignored, additional, AESGCM.length(additional.count)), "bind additional data")
        if !plain.isEmpty {
            let input = plain.assumingMemoryBound(to: UInt8.self)
            try AESGCM.check(
                EVP_EncryptUpdate(context, output.baseAddress, &count, input.baseAddress, AESGCM.length(plain.count)), "encrypt")
        }
        guard Int(count) == plain.count else { throw .libraryFailure("libcrypto encrypted \(count) of \(plain.count) bytes") }
        let tag = output.baseAddress.map { $0 + plain.count }
        try AESGCM.check(EVP_EncryptFinal_ex(context, tag, &ignored), "finish encrypting")
        try AESGCM.check(
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(FrameLimits.tagLength), tag), "make the tag")
    }

    /// Checks ciphertext and tag, and writes what was sealed: `target` is 16 bytes shorter than `sealed`.
    ///
    /// Throws `notAuthentic` or `libraryFailure`; the target is zero then, so nothing that was not authenticated gets out.
    func open(
        _ sealed: UnsafeRawBufferPointer, key: SecretBytes, nonce: [UInt8], additional: [UInt8],
        into target: UnsafeMutableRawBufferPointer
    ) throws(FrameError) {
        precondition(nonce.count == AESGCM.nonceLength && sealed.count == target.count + FrameLimits.tagLength)
        do throws(FrameError) {
            try decrypt(sealed, key: key, nonce: nonce, additional: additional, into: target)
        } catch {
            if let start = target.baseAddress { OPENSSL_cleanse(start, target.count) }
            throw error
        }
    }

    private func decrypt(
        _ sealed: UnsafeRawBufferPointer, key: SecretBytes, nonce: [UInt8], additional: [UInt8],
        into target: UnsafeMutableRawBufferPointer
    ) throws(FrameError) {
        let context = try AESGCM.context(&opening, encrypts: false)
        var count: Int32 = 0
        var ignored: Int32 = 0
        var tag = Array(sealed.suffix(FrameLimits.tagLength))
        try AESGCM.check(
            key.withBytes { EVP_DecryptInit_ex(context, nil, nil, $0.baseAddress, nonce) }, "start decrypting")
        try AESGCM.check(
            EVP_DecryptUpdate(context, nil, &ignored, additional, AESGCM.length(additional.count)), "bind additional data")
        if !target.isEmpty {
            let input = sealed.assumingMemoryBound(to: UInt8.self)
            let output = target.assumingMemoryBound(to: UInt8.self)
            try AESGCM.check(
                EVP_DecryptUpdate(context, output.baseAddress, &count, input.baseAddress, AESGCM.length(target.count)), "decrypt")
        }
        guard Int(count) == target.count else { throw .libraryFailure("libcrypto decrypted \(count) of \(target.count) bytes") }
        try AESGCM.check(
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(tag.count), &tag), "read the tag")
        // GCM has nothing left to write here; a place to write to is wanted all the same.
        var rest: UInt8 = 0
        guard EVP_DecryptFinal_ex(context, &rest, &ignored) == 1 else {
            ERR_clear_error()
            throw .notAuthentic
        }
    }

    private static func context(_ slot: inout OpaquePointer?, encrypts: Bool) throws(FrameError) -> OpaquePointer {
        if let slot { return slot }
        guard let context = EVP_CIPHER_CTX_new() else { throw .libraryFailure("libcrypto: out of memory") }
        guard EVP_CipherInit_ex(context, EVP_aes_256_gcm(), nil, nil, nil, encrypts ? 1 : 0) == 1 else {
            EVP_CIPHER_CTX_free(context)
            throw failure("set up AES-256-GCM")
        }
        slot = context
        return context
    }

    /// Frames are at most 16 MiB, keys and additional data short: far below 2³¹.
    private static func length(_ count: Int) -> Int32 { Int32(clamping: count) }

    private static func check(_ result: Int32, _ what: String) throws(FrameError) {
        guard result == 1 else { throw failure(what) }
    }

    private static func failure(_ what: String) -> FrameError {
        let code = ERR_get_error()
        ERR_clear_error()
        guard let reason = ERR_reason_error_string(code) else { return .libraryFailure("libcrypto could not \(what)") }
        return .libraryFailure("libcrypto could not \(what): \(String(cString: reason))")
    }
}
