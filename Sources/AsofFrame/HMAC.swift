/// HMAC-SHA256 (RFC 2104): 32 bytes. Compare with `constantTimeEqual`.
package func hmacSHA256(key: [UInt8], message: [UInt8]) -> [UInt8] {
    let blockLength = 64
    var block = key.count > blockLength ? SHA256Hasher.hash(key) : key
    block.append(contentsOf: repeatElement(0, count: blockLength - block.count))

    var inner = SHA256Hasher()
    inner.update(block.map { $0 ^ 0x36 })
    inner.update(message)
    var outer = SHA256Hasher()
    outer.update(block.map { $0 ^ 0x5C })
    outer.update(inner.finish())
    return outer.finish()
}

/// HKDF-SHA256 (RFC 5869): `count` bytes, at most 8160, that nobody can tell from random without `key`.
package func hkdfSHA256(key: [UInt8], salt: [UInt8], info: [UInt8], count: Int) -> [UInt8] {
    precondition((0...255 * SHA256Hasher.length).contains(count), "HKDF gives at most 8160 bytes")
    let extracted = hmacSHA256(key: salt, message: key)
    var output: [UInt8] = []
    var block: [UInt8] = []
    var counter: UInt8 = 0
    while output.count < count {
        counter += 1
        block = hmacSHA256(key: extracted, message: block + info + [counter])
        output += block
    }
    return Array(output.prefix(count))
}
