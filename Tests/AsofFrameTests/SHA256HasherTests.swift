import AsofFrame
import Testing

@Suite("SHA-256, HMAC, HKDF, CRC32C")
struct SHA256HasherTests {
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (String(repeating: "a", count: 1_000_000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ])
    func `hashes the vectors of FIPS 180-4`(text: String, expected: String) {
        #expect(hex(SHA256Hasher.hash(Array(text.utf8))) == expected)
    }

    @Test func `gives one hash however the bytes arrive, and goes on after finish`() {
        let bytes = Content.random.bytes(300)
        for first in 0...bytes.count {
            var hasher = SHA256Hasher()
            hasher.update(Array(bytes[..<first]))
            #expect(hasher.finish() == SHA256Hasher.hash(Array(bytes[..<first])))
            hasher.update(Array(bytes[first...]))
            #expect(hasher.finish() == SHA256Hasher.hash(bytes), "split at \(first)")
        }
    }

    /// RFC 4231, cases 1, 2, 3 and 6 (a key longer than a block).
    @Test(arguments: [
        (
            [UInt8](repeating: 0x0B, count: 20), Array("Hi There".utf8),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xAA, count: 20), [UInt8](repeating: 0xDD, count: 50),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        (
            [UInt8](repeating: 0xAA, count: 131), Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
    ])
    func `authenticates the vectors of RFC 4231`(key: [UInt8], message: [UInt8], expected: String) {
        #expect(hex(hmacSHA256(key: key, message: message)) == expected)
    }

    /// RFC 5869, appendix A.1 to A.3.
    @Test(arguments: [
        (
            [UInt8](repeating: 0x0B, count: 22), Array(UInt8(0)...0x0C), Array(UInt8(0xF0)...0xF9), 42,
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        ),
        (
            Array(UInt8(0)...0x4F), Array(UInt8(0x60)...0xAF), Array(UInt8(0xB0)...0xFF), 82,
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
                + "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
        ),
        (
            [UInt8](repeating: 0x0B, count: 22), [], [], 42,
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
        ),
    ])
    func `derives the vectors of RFC 5869`(key: [UInt8], salt: [UInt8], info: [UInt8], count: Int, expected: String) {
        #expect(hex(hkdfSHA256(key: key, salt: salt, info: info, count: count)) == expected)
    }

    @Test(arguments: [0, 1, 31, 32, 33, 8160])
    func `derives as many bytes as asked`(count: Int) {
        #expect(hkdfSHA256(key: [1], salt: [2], info: [3], count: count).count == count)
    }

    @Test func `knows the check value of CRC32C, whole and continued`() {
        let digits = Array("123456789".utf8)
        #expect(crc32c(digits) == 0xE306_9283)
        for split in 0...digits.count {
            #expect(crc32c(Array(digits[split...]), seed: crc32c(Array(digits[..<split]))) == 0xE306_9283)
        }
        #expect(crc32c([]) == 0)
    }

    /// Lengths around those at which it goes on otherwise, from any start.
    @Test(arguments: [7, 8, 255, 256, 767, 768, 769, 1024, 1535, 1536, 2304, 5000])
    func `CRC32C is that of its definition`(count: Int) {
        var random = SeededGenerator(seed: UInt64(count))
        for skipped in 0..<8 {
            let bytes = (0..<count + 8).map { _ in UInt8.random(in: 0...255, using: &random) }
            let seed = UInt32.random(in: 0...UInt32.max, using: &random)
            var remainder = ~seed
            for byte in bytes[skipped..<skipped + count] {
                remainder ^= UInt32(byte)
                for _ in 0..<8 { remainder = remainder >> 1 ^ (remainder & 1 == 1 ? 0x82F6_3B78 : 0) }
            }
            #expect(bytes[skipped..<skipped + count].withUnsafeBytes { crc32c($0, seed: seed) } == ~remainder)
        }
    }

    @Test func `compares in constant time what is equal and what is not`() {
        #expect(constantTimeEqual([], []))
        #expect(constantTimeEqual([1, 2, 3], [1, 2, 3]))
        #expect(!constantTimeEqual([1, 2, 3], [1, 2, 4]))
        #expect(!constantTimeEqual([1, 2, 3], [1, 2]))
    }

    @Test(arguments: [0, 1, 7, 8, 9, 32])
    func `draws as many random bytes as asked`(count: Int) {
        #expect(randomBytes(count).count == count)
        if count >= 8 { #expect(randomBytes(count) != randomBytes(count)) }
    }

    private func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef")
        return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}
