package import AsofCore
internal import AsofFrame

/// The repository's few JSON objects: one line of JSON, one line that proves it.
///
///     {"format":1,…}
///     sha256 <64 hex digits>          without encryption: notices damage
///     hmac <64 hex digits>            with encryption: notices forgery, too
package enum SignedDocument {
    package static func seal(_ json: [UInt8], key: [UInt8]?) -> [UInt8] {
        var bytes = json
        bytes.append(0x0A)
        bytes.append(contentsOf: signature(json, key: key).utf8)
        bytes.append(0x0A)
        return bytes
    }

    /// The JSON, when the second line proves it.
    package static func open(_ bytes: [UInt8], key: [UInt8]?, name: String) throws(AsofError) -> [UInt8] {
        guard let end = bytes.firstIndex(of: 0x0A) else {
            throw AsofError(.damaged, "\(name) is damaged: it has no signature line", hint: "restore it from a copy of the repository")
        }
        let json = Array(bytes[..<end])
        let found = Array(bytes[(end + 1)...])
        let expected = Array((signature(json, key: key) + "\n").utf8)
        guard constantTimeEqual(found, expected) else {
            throw AsofError(
                .damaged, "\(name) is damaged: its signature does not match",
                hint: key == nil
                    ? "restore it from a copy of the repository"
                    : "it was changed by something that does not have the key, or the key belongs to another repository")
        }
        return json
    }

    private static func signature(_ json: [UInt8], key: [UInt8]?) -> String {
        if let key { return "hmac " + hex(hmacSHA256(key: key, message: json)) }
        return "sha256 " + hex(SHA256Hasher.hash(json))
    }
}

func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count * 2)
    for byte in bytes {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}

func bytes(hex text: String) -> [UInt8]? {
    var result: [UInt8] = []
    var high: UInt8?
    for character in text.utf8 {
        let value: UInt8
        switch character {
        case 0x30...0x39: value = character - 0x30
        case 0x61...0x66: value = character - 0x61 + 10
        default: return nil
        }
        if let first = high { result.append(first << 4 | value); high = nil } else { high = value }
    }
    return high == nil ? result : nil
}
