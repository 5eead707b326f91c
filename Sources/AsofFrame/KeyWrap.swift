/// A data key sealed by a user's key, so that changing the user's key rewrites one small object:
///
/// ```
///  0  nonce  12 random bytes
/// 12  the data key, AES-256-GCM, 32 bytes
/// 44  tag, 16 bytes
/// ```
/// Additional data is "asof key v1" and the context, which says whose key it is: the repository and the slot.
package enum KeyWrap {
    /// Bytes of a wrapped key.
    package static let length = AESGCM.nonceLength + DataKey.length + FrameLimits.tagLength

    private static let domain = Array("asof key v1".utf8)

    package static func wrap(_ dataKey: DataKey, userKey: UserKey, context: [UInt8]) throws(KeyError) -> [UInt8] {
        let nonce = randomBytes(AESGCM.nonceLength)
        var wrapped = nonce
        wrapped.append(contentsOf: repeatElement(0, count: DataKey.length + FrameLimits.tagLength))
        let failure: FrameError? = wrapped.withUnsafeMutableBytes { wrapped in
            let target = UnsafeMutableRawBufferPointer(rebasing: wrapped[AESGCM.nonceLength...])
            return dataKey.secret.withBytes { plain in
                do throws(FrameError) {
                    try AESGCM().seal(
                        UnsafeRawBufferPointer(plain), key: userKey.secret, nonce: nonce, additional: domain + context,
                        into: target)
                    return nil
                } catch {
                    return error
                }
            }
        }
        if let failure { throw .libraryFailure(failure.description) }
        return wrapped
    }

    /// Throws `wrongKey` unless `wrapped` is what `wrap` gave for the same user key and context.
    package static func unwrap(_ wrapped: [UInt8], userKey: UserKey, context: [UInt8]) throws(KeyError) -> DataKey {
        guard wrapped.count == length else { throw .malformed }
        let nonce = Array(wrapped.prefix(AESGCM.nonceLength))
        var plain = [UInt8](repeating: 0, count: DataKey.length)
        let failure: FrameError? = wrapped.withUnsafeBytes { wrapped in
            plain.withUnsafeMutableBytes { plain in
                do throws(FrameError) {
                    try AESGCM().open(
                        UnsafeRawBufferPointer(rebasing: wrapped[AESGCM.nonceLength...]), key: userKey.secret, nonce: nonce,
                        additional: domain + context, into: plain)
                    return nil
                } catch {
                    return error
                }
            }
        }
        switch failure {
        case nil: break
        case .notAuthentic: throw .wrongKey
        case .some(let other): throw .libraryFailure(other.description)
        }
        guard let dataKey = DataKey(bytes: plain) else { throw .malformed }
        return dataKey
    }
}
