import AsofFrame
import Testing

@Suite("Frames: damage")
struct FrameDamageTests {
    static let compressions: [Compression] = [.none, .standard, .gzip(level: 6)]
    /// Shrinks by zstd and gzip to well below its length.
    static let plain = Array(repeatElement(Array("weaviate ".utf8), count: 20).joined())

    @Test(arguments: compressions, [false, true])
    func `is an error cut off at any byte`(compression: Compression, isSealed: Bool) throws {
        let sealer = FrameSealer.fixture(isSealed: isSealed)
        let stored = try encoded(Self.plain, compression: compression, sealer: sealer)
        #expect(stored[8] == compression.method.rawValue)
        for length in 0..<stored.count {
            #expect(failure(of: Array(stored[..<length]), sealer: sealer) == .truncated, "cut to \(length) bytes")
        }
        #expect(failure(of: stored + [0], sealer: sealer) == .lengthMismatch)
    }

    @Test(arguments: compressions, [false, true])
    func `is an error with any bit flipped`(compression: Compression, isSealed: Bool) throws {
        let sealer = FrameSealer.fixture(isSealed: isSealed)
        let decoder = FrameDecoder()
        for plain in [Self.plain, [], [42]] {
            let stored = try encoded(plain, compression: compression, sealer: sealer)
            for bit in 0..<stored.count * 8 {
                var flipped = stored
                flipped[bit / 8] ^= 1 << UInt8(bit % 8)
                #expect(failure(of: flipped, with: decoder, sealer: sealer) != nil, "bit \(bit) of \(plain.count) bytes")
            }
            #expect(try decoded(stored, with: decoder, sealer: sealer) == plain, "the decoder still works afterwards")
        }
    }

    @Test(arguments: compressions)
    func `is not authentic with any bit of a sealed body or header flipped, even under a right checksum`(
        compression: Compression
    ) throws {
        let sealer = FrameSealer.fixture(isSealed: true)
        let decoder = FrameDecoder()
        let stored = try encoded(Self.plain, compression: compression, sealer: sealer)
        for byte in Array(0..<12) + Array(16..<stored.count) {
            for bit in 0..<8 {
                var flipped = stored
                flipped[byte] ^= 1 << UInt8(bit)
                let place = ObjectID.filled(1).bytes + littleEndian(UInt64(4096))
                let checksum = littleEndian(crc32c(place + flipped[..<12] + flipped[16...]))
                flipped.replaceSubrange(12..<16, with: checksum)
                let error = failure(of: flipped, with: decoder, sealer: sealer)
                if byte >= 16 {
                    #expect(error == .notAuthentic, "byte \(byte), bit \(bit)")
                } else {
                    #expect(error != nil, "byte \(byte), bit \(bit)")
                }
            }
        }
    }

    @Test(arguments: compressions, [false, true])
    func `reads in its own place only`(compression: Compression, isSealed: Bool) throws {
        let sealer = FrameSealer.fixture(isSealed: isSealed)
        let stored = try encoded(Self.plain, compression: compression, sealer: sealer)
        for offset in [UInt64(0), 4095, 4097, 4096 << 32, .max] {
            #expect(failure(of: stored, offset: offset, sealer: sealer) == .checksumMismatch)
        }
        #expect(failure(of: stored, sealer: .fixture(isSealed: isSealed, object: 9)) == .checksumMismatch)
        for role in FrameRole.allCases where role != .payload {
            #expect(failure(of: stored, role: role, sealer: sealer) == .wrongRole)
        }
    }

    @Test(arguments: compressions)
    func `reads with its own key and repository only`(compression: Compression) throws {
        let stored = try encoded(Self.plain, compression: compression, sealer: .fixture(isSealed: true))
        #expect(failure(of: stored, sealer: .fixture(isSealed: true, repository: 9)) == .notAuthentic)
        #expect(failure(of: stored, sealer: .fixture(isSealed: true, key: 9)) == .notAuthentic)
        #expect(failure(of: stored, sealer: .fixture(isSealed: false)) == .keyMissing)
        let plain = try encoded(Self.plain, compression: compression, sealer: .fixture(isSealed: false))
        #expect(failure(of: plain, sealer: .fixture(isSealed: true)) == .unexpectedPlain)
    }

    /// The checksum is made right again for plain frames, so that what lies behind it meets the mutations too.
    @Test(arguments: compressions, [(false, UInt64(20_261_123)), (true, 4711)])
    func `survives seeded mutations`(compression: Compression, run: (isSealed: Bool, seed: UInt64)) throws {
        try mutate(count: 10_000, seed: run.seed, compression: compression, isSealed: run.isSealed)
    }

    private func mutate(count: Int, seed: UInt64, compression: Compression, isSealed: Bool) throws {
        var generator = SeededGenerator(seed: seed)
        let sealer = FrameSealer.fixture(isSealed: isSealed)
        let decoder = FrameDecoder()
        let stored = try encoded(Self.plain, compression: compression, sealer: sealer)
        var decodedCount = 0
        for index in 0..<count {
            var bytes = stored
            for _ in 0...Int.random(in: 0..<4, using: &generator) {
                mutateOnce(&bytes, using: &generator)
            }
            let isMended = bytes.count >= FrameHeader.length && Bool.random(using: &generator)
            if isMended {
                let body = Array(bytes[FrameHeader.length...])
                if Bool.random(using: &generator) { bytes.replaceSubrange(0..<4, with: littleEndian(UInt32(body.count))) }
                let place = ObjectID.filled(1).bytes + littleEndian(UInt64(4096))
                bytes.replaceSubrange(12..<16, with: littleEndian(crc32c(place + bytes[..<12] + body)))
            }
            guard bytes != stored else { continue }
            do throws(FrameError) {
                let plain = try decoded(bytes, with: decoder, sealer: sealer)
                decodedCount += 1
                #expect(isMended && !isSealed, "mutation \(index) of seed \(seed) passed: \(bytes)")
                #expect(plain.count <= FrameLimits.payloadLengthMax)
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
        #expect(decodedCount < count)
        #expect(try decoded(stored, with: decoder, sealer: sealer) == Self.plain, "the decoder still works after seed \(seed)")
    }

    private func mutateOnce(_ bytes: inout [UInt8], using generator: inout SeededGenerator) {
        guard !bytes.isEmpty else { return }
        let at = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 1: bytes[at] = UInt8.random(in: 0...255, using: &generator)
        case 2: bytes.removeSubrange(at..<Int.random(in: at...bytes.count, using: &generator))
        case 3: bytes.insert(contentsOf: Content.random.bytes(Int.random(in: 1..<9, using: &generator)), at: at)
        case 4:
            let end = Int.random(in: at...bytes.count, using: &generator)
            bytes.replaceSubrange(at..<end, with: repeatElement([0, 0xFF].randomElement(using: &generator) ?? 0, count: end - at))
        default: bytes.swapAt(at, Int.random(in: 0..<bytes.count, using: &generator))
        }
    }
}
