import AsofCore
import AsofFrame
import Testing

@Suite("Keys")
struct KeyTests {
    private let context = Array("slot 1".utf8)

    @Test func `unwraps what it wrapped`() throws {
        let dataKey = DataKey.random()
        let userKey = try #require(UserKey(bytes: randomBytes(32)))
        let wrapped = try KeyWrap.wrap(dataKey, userKey: userKey, context: context)
        #expect(wrapped.count == KeyWrap.length)
        let back = try KeyWrap.unwrap(wrapped, userKey: userKey, context: context)
        #expect(fingerprint(back) == fingerprint(dataKey))
        #expect(try KeyWrap.wrap(dataKey, userKey: userKey, context: context) != wrapped, "a nonce is drawn each time")
    }

    /// Made by another implementation of AES-GCM.
    @Test func `unwraps what the format says`() throws {
        let wrapped = try #require(
            bytes(
                "000102030405060708090a0b0d3f91aed8548050f8f1cbd2afbfabf49234a47ecf6ba11cc5c18ccd63e42dd6"
                    + "41f72347e1ee31b4009908ce20e1791e"
            ))
        let userKey = try #require(UserKey(bytes: [UInt8](repeating: 0x55, count: 32)))
        let dataKey = try KeyWrap.unwrap(wrapped, userKey: userKey, context: context)
        #expect(fingerprint(dataKey) == fingerprint(try #require(DataKey(bytes: Array(0...31)))))
    }

    @Test func `refuses another key, another context, any flipped bit and any other length`() throws {
        let userKey = try #require(UserKey(bytes: [UInt8](repeating: 1, count: 32)))
        let other = try #require(UserKey(bytes: [UInt8](repeating: 2, count: 32)))
        let wrapped = try KeyWrap.wrap(.random(), userKey: userKey, context: context)
        #expect(throws: KeyError.wrongKey) { try KeyWrap.unwrap(wrapped, userKey: other, context: context) }
        #expect(throws: KeyError.wrongKey) { try KeyWrap.unwrap(wrapped, userKey: userKey, context: Array("slot 2".utf8)) }
        for bit in 0..<wrapped.count * 8 {
            var flipped = wrapped
            flipped[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(throws: KeyError.wrongKey, "bit \(bit)") { try KeyWrap.unwrap(flipped, userKey: userKey, context: context) }
        }
        for length in Array(0..<wrapped.count) + [wrapped.count + 1] {
            let cut = Array((wrapped + [0]).prefix(length))
            #expect(throws: KeyError.malformed, "\(length) bytes") { try KeyWrap.unwrap(cut, userKey: userKey, context: context) }
        }
    }

    static let hex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
    static let base64 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

    @Test(arguments: [
        Array(UInt8(0)...31), Array(hex.utf8), Array(hex.uppercased().utf8), Array("\(hex)\n".utf8),
        Array(" \t\r\n\(hex)\r\n ".utf8), Array(base64.utf8), Array("\(base64)\n".utf8),
    ])
    func `reads a user's key`(text: [UInt8]) throws {
        let userKey = try UserKey.parse(text)
        let wrapped = try KeyWrap.wrap(.random(), userKey: try #require(UserKey(bytes: Array(0...31))), context: context)
        _ = try KeyWrap.unwrap(wrapped, userKey: userKey, context: context)
    }

    @Test(arguments: [
        [], [0], Array(UInt8(0)...30), Array(UInt8(0)...32), Array(hex.dropLast().utf8), Array("\(hex)0".utf8),
        Array("g\(hex.dropFirst())".utf8), Array("\(hex.prefix(32)) \(hex.suffix(32))".utf8), Array(base64.dropLast().utf8),
        Array("\(base64.dropLast(2))9=".utf8), Array("=\(base64.dropLast())".utf8), Array("\(base64.dropLast(4))====".utf8),
        Array("QUJD".utf8), Array(repeating: 0x20, count: 64), Array("password".utf8),
    ])
    func `refuses anything else without showing it`(text: [UInt8]) {
        let error = #expect(throws: AsofError.self) { try UserKey.parse(text) }
        #expect(error?.code == .key)
        #expect(error?.hint == "make one with: openssl rand -hex 32 > FILE")
        #expect(error?.message.contains("password") == false)
    }

    @Test func `never prints a key`() throws {
        let dataKey = try #require(DataKey(bytes: Array(0...31)))
        let userKey = try #require(UserKey(bytes: Array(0...31)))
        #expect("\(dataKey)" == "DataKey(…)")
        #expect(String(reflecting: dataKey) == "DataKey(…)")
        #expect("\(userKey)" == "UserKey(…)")
        #expect(String(reflecting: [userKey]) == "[UserKey(…)]")
        var dumped = ""
        dump(dataKey, to: &dumped)
        dump(userKey, to: &dumped)
        #expect(!dumped.contains("secret"))
    }

    @Test func `derives keys that differ by purpose and salt`() {
        let dataKey = DataKey.random()
        let derived = [
            dataKey.derived(purpose: "a", salt: []), dataKey.derived(purpose: "b", salt: []),
            dataKey.derived(purpose: "a", salt: [1]),
        ]
        #expect(Set(derived).count == 3)
        #expect(derived.allSatisfy { $0.count == 32 })
        #expect(dataKey.derived(purpose: "a", salt: []) == derived[0])
    }

    @Test func `says what to do`() {
        #expect(KeyError.wrongKey.asofError.code == .key)
        #expect(FrameError.keyMissing.asofError("frame at 0").code == .key)
        #expect(FrameError.checksumMismatch.asofError("frame at 0").code == .damaged)
        #expect(FrameError.libraryFailure("out of memory").asofError("frame at 0").code == .failure)
    }

    private func fingerprint(_ key: DataKey) -> [UInt8] { key.derived(purpose: "test", salt: []) }

    private func bytes(_ hex: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = hex.utf8[...]
        while !rest.isEmpty {
            guard let byte = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else { return nil }
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        return bytes
    }
}
