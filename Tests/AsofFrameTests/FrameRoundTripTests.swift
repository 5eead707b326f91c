import AsofFrame
import Testing

@Suite("Frames: there and back")
struct FrameRoundTripTests {
    static let compressions: [Compression] = [
        .none, .zstd(level: 1), .standard, .zstd(level: 22), .gzip(level: 1), .gzip(level: 9),
    ]
    static let lengths = [0, 1, 2, 3, 15, 16, 17, 255, 256, 257, 4095, 4096, 65_535, 65_536, 262_143, 262_144]

    @Test(arguments: compressions, [false, true])
    func `gives back what went in, with one encoder and one decoder for all`(compression: Compression, isSealed: Bool) throws {
        let sealer = FrameSealer.fixture(isSealed: isSealed)
        let encoder = FrameEncoder(compression: compression)
        let decoder = FrameDecoder()
        var object: [UInt8] = []
        var written: [(offset: Int, plain: [UInt8])] = []
        for content in Content.allCases {
            for length in Self.lengths {
                let plain = content.bytes(length)
                written.append((object.count, plain))
                try encode(plain, with: encoder, offset: UInt64(object.count), sealer: sealer, into: &object)
            }
        }
        // Walk the object by its headers alone.
        var position = 0
        for (offset, plain) in written {
            #expect(position == offset)
            let header = try object[position...].withUnsafeBytes { try FrameDecoder.header(of: $0) }
            #expect(header.plainLength == plain.count)
            #expect(header.isSealed == isSealed)
            #expect(header.role == .payload)
            let stored = Array(object[position..<position + header.frameLength])
            let back = try decoded(stored, with: decoder, offset: UInt64(offset), sealer: sealer)
            #expect(back == plain, "\(plain.count) bytes by \(compression)")
            position += header.frameLength
        }
        #expect(position == object.count)
    }

    @Test(arguments: compressions)
    func `stores what does not shrink and shrinks what does`(compression: Compression) throws {
        let sealer = FrameSealer.fixture(isSealed: false)
        let random = try encoded(Content.random.bytes(4096), compression: compression, sealer: sealer)
        #expect(random.count == FrameHeader.length + 4096)
        #expect(random[8] == FrameMethod.stored.rawValue)
        let zeros = try encoded(Content.zeros.bytes(262_144), compression: compression, sealer: sealer)
        #expect(zeros[8] == compression.method.rawValue)
        #expect(compression == .none || zeros.count < 4096)
    }

    @Test(arguments: FrameRole.allCases, [false, true])
    func `takes as much as its role allows and not a byte more`(role: FrameRole, isSealed: Bool) throws {
        let sealer = FrameSealer.fixture(isSealed: isSealed)
        let limit = FrameLimits.plainLengthMax(for: role)
        let plain = [UInt8](repeating: 7, count: limit)
        let stored = try encoded(plain, compression: .zstd(level: 1), role: role, sealer: sealer)
        #expect(try decoded(stored, role: role, sealer: sealer) == plain)
        var output: [UInt8] = [1, 2]
        #expect(throws: FrameError.tooLong) {
            try encode(
                plain + [7], with: FrameEncoder(compression: .none), role: role, offset: 0, sealer: sealer, into: &output)
        }
        #expect(output == [1, 2])
    }

    @Test(arguments: compressions, [false, true])
    func `writes into the caller's memory, and no further than the content`(compression: Compression, isSealed: Bool) throws {
        let sealer = FrameSealer.fixture(isSealed: isSealed)
        let plain = Content.text.bytes(5000)
        let stored = try encoded(plain, compression: compression, sealer: sealer)
        let decoder = FrameDecoder()
        var target = [UInt8](repeating: 0xEE, count: 5010)
        let count = try stored.withUnsafeBytes { stored in
            try target.withUnsafeMutableBytes { target in
                try decoder.decode(stored, role: .payload, offset: 4096, sealer: sealer, into: target)
            }
        }
        #expect(count == 5000)
        #expect(Array(target[..<5000]) == plain)
        #expect(Array(target[5000...]) == [UInt8](repeating: 0xEE, count: 10))

        var small = [UInt8](repeating: 0xEE, count: 4999)
        #expect(throws: FrameError.lengthMismatch) {
            try stored.withUnsafeBytes { stored in
                try small.withUnsafeMutableBytes { small in
                    _ = try decoder.decode(stored, role: .payload, offset: 4096, sealer: sealer, into: small)
                }
            }
        }
        #expect(small == [UInt8](repeating: 0xEE, count: 4999))
    }

    /// Both made by another implementation of CRC32C, HKDF and AES-GCM.
    @Test(arguments: [
        (false, "0a0000000a0000000001000018949ee16173206f66207468656e"),
        (true, "1a0000000a0000000001010010c318603b2f78d767f279de85125b6e24184bf18d8f19493af5f98174bf"),
    ])
    func `is byte for byte what the format says`(isSealed: Bool, expected: String) throws {
        let sealer = FrameSealer(
            object: try #require(ObjectID(bytes: UInt8(0)...15)), repository: try #require(ObjectID(bytes: UInt8(0xA0)...0xAF)),
            dataKey: isSealed ? DataKey(bytes: Array(0...31)) : nil)
        let stored = try encoded(Array("as of then".utf8), compression: .standard, offset: 0x1_2345_6789, sealer: sealer)
        #expect(stored.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() == expected)
        #expect(try decoded(stored, offset: 0x1_2345_6789, sealer: sealer) == Array("as of then".utf8))
    }

    @Test func `hides content and equality when sealed`() throws {
        let sealer = FrameSealer.fixture(isSealed: true)
        let plain = Array("a name that nobody shall read".utf8)
        let here = try encoded(plain, compression: .none, offset: 0, sealer: sealer)
        let there = try encoded(plain, compression: .none, offset: 1, sealer: sealer)
        let elsewhere = try encoded(plain, compression: .none, offset: 0, sealer: .fixture(isSealed: true, object: 9))
        #expect(Set([here, there, elsewhere].map { Array($0[FrameHeader.length...]) }).count == 3)
        #expect(!here[FrameHeader.length...].starts(with: plain))
    }

    @Test func `has one sealer for many threads`() async throws {
        let sealer = FrameSealer.fixture(isSealed: true)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<8 {
                group.addTask {
                    let encoder = FrameEncoder(compression: worker.isMultiple(of: 2) ? .standard : .gzip(level: 6))
                    let decoder = FrameDecoder()
                    for round in 0..<50 {
                        let offset = UInt64(worker * 1000 + round)
                        let plain = Content.text.bytes(round * 97) + Content.random.bytes(worker * 31)
                        var stored: [UInt8] = []
                        try encode(plain, with: encoder, offset: offset, sealer: sealer, into: &stored)
                        let back = try decoded(stored, with: decoder, offset: offset, sealer: sealer)
                        #expect(back == plain, "worker \(worker), round \(round)")
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
