import AsofFrame
import CZlib
import CZstd
import Testing

/// Frames of somebody who can compute a checksum.
@Suite("Frames: forged")
struct HostileFrameTests {
    private let sealer = FrameSealer.fixture(isSealed: false)

    @Test(arguments: [
        ("unknown method", forged(plainLength: 3, method: 3, body: [1, 2, 3])),
        ("unknown role", forged(plainLength: 3, method: 0, role: 0, body: [1, 2, 3])),
        ("unknown sealing", forged(plainLength: 3, method: 0, sealing: 2, body: [1, 2, 3])),
        ("reserved byte", forged(plainLength: 3, method: 0, reserved: 1, body: [1, 2, 3])),
        ("stored, shorter than announced", forged(plainLength: 4, method: 0, body: [1, 2, 3])),
        ("stored, longer than announced", forged(plainLength: 2, method: 0, body: [1, 2, 3])),
        ("compressed to the same length", forged(plainLength: 3, method: 1, body: [1, 2, 3])),
        ("compressed to nothing", forged(plainLength: 3, method: 2, body: [])),
        ("sealed, without room for a tag", forged(plainLength: 3, method: 0, sealing: 1, body: [1, 2, 3])),
        ("longest lengths", forged(storedLength: .max, plainLength: .max, method: 1, body: [1, 2, 3])),
        ("longest body", forged(storedLength: .max, plainLength: 5, method: 1, body: [1, 2, 3])),
    ])
    func `are refused by their header`(what: String, stored: [UInt8]) {
        switch failure(of: stored, sealer: sealer) {
        case .headerInvalid, .tooLong: break
        case let other: Issue.record("\(what): \(String(describing: other))")
        }
    }

    @Test func `are refused when they announce more than their role allows`() {
        let body = zstd([UInt8](repeating: 0, count: 300 << 10))
        #expect(failure(of: forged(plainLength: 300 << 10, method: 1, body: body), sealer: sealer) == .tooLong)
        let index = forged(plainLength: 300 << 10, method: 1, role: 3, body: body)
        #expect(failure(of: index, role: .indexPage, sealer: sealer) == nil)
        let larger = forged(plainLength: 16 << 20 + 1, method: 1, role: 3, body: body)
        #expect(failure(of: larger, role: .indexPage, sealer: sealer) == .tooLong)
    }

    /// 64 MiB of zeros in a few KiB, under lengths that lie.
    @Test(arguments: [UInt32(60_000), 65_535, 256 << 10])
    func `are refused when they hold more than they announce`(announced: UInt32) {
        let zeros = [UInt8](repeating: 0, count: 64 << 20)
        let zstdBomb = zstd(zeros)
        let gzipBomb = gzip(zeros)
        #expect(zstdBomb.count < 60_000)
        #expect(failure(of: forged(plainLength: announced, method: 1, body: zstdBomb), sealer: sealer) == .lengthMismatch)
        // gzip shrinks by no more than 1:1032.
        let gzipFailure = failure(of: forged(plainLength: announced, method: 2, body: gzipBomb), sealer: sealer)
        if gzipBomb.count < announced { #expect(gzipFailure == .lengthMismatch) } else { #expect(gzipFailure != nil) }
    }

    @Test func `are refused when a zstd frame lies about its own content`() {
        // A frame of 60,000 zeros whose header says 50,000: the last two bytes of the size field, less 256, at offset 5.
        var body = zstd([UInt8](repeating: 0, count: 60_000))
        #expect(body[4] & 0xE0 == 0x60)
        body.replaceSubrange(5..<7, with: littleEndian(UInt16(50_000 - 256)))
        expectDecompressionFailure(forged(plainLength: 50_000, method: 1, body: body))
    }

    @Test(arguments: [FrameMethod.zstd, .gzip])
    func `are refused when they hold less than they announce`(method: FrameMethod) {
        let plain = [UInt8](repeating: 0, count: 60_000)
        let body = method == .zstd ? zstd(plain) : gzip(plain)
        for announced in [UInt32(59_999), 60_001] {
            let stored = forged(plainLength: announced, method: method.rawValue, body: body)
            #expect(failure(of: stored, sealer: sealer) == .lengthMismatch)
        }
        #expect(failure(of: forged(plainLength: 60_000, method: method.rawValue, body: body), sealer: sealer) == nil)
    }

    @Test(arguments: [FrameMethod.zstd, .gzip])
    func `are refused with anything behind the compressed bytes`(method: FrameMethod) {
        let plain = [UInt8](repeating: 0, count: 60_000)
        let body = method == .zstd ? zstd(plain) : gzip(plain)
        let empty = method == .zstd ? zstd([]) : gzip([])
        let skippable = [0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0] as [UInt8]
        for tail in [[0], empty, skippable] {
            expectDecompressionFailure(forged(plainLength: 60_000, method: method.rawValue, body: body + tail))
        }
    }

    @Test(arguments: [(14 << 3, true), (14 << 3 | 1, false), (17 << 3, false), (31 << 3 | 7, false)] as [(UInt8, Bool)])
    func `are refused when a zstd window is larger than any frame`(window: UInt8, isAllowed: Bool) {
        // Magic, a descriptor with a four-byte size and a window byte, then one last run-length block of 1000 zeros.
        let block = littleEndian(UInt32(1000 << 3 | 1 << 1 | 1))[..<3] + [0]
        let body = littleEndian(UInt32(0xFD2F_B528)) + [0x80, window] + littleEndian(UInt32(1000)) + block
        let stored = forged(plainLength: 1000, method: 1, body: body)
        if isAllowed {
            #expect(failure(of: stored, sealer: sealer) == nil)
        } else {
            expectDecompressionFailure(stored, mentioning: "window")
        }
    }

    @Test(arguments: [
        ("no size in it", [0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x58, 0x01, 0x00, 0x00]),
        ("a legacy frame", [0x27, 0xB5, 0x2F, 0xFD, 0x00, 0x58, 0x01, 0x00, 0x00]),
        ("a skippable frame", [0x50, 0x2A, 0x4D, 0x18, 0x01, 0x00, 0x00, 0x00, 0x00]),
        ("a dictionary", [0x28, 0xB5, 0x2F, 0xFD, 0x21, 0x07, 0x64, 0x23, 0x03, 0x00, 0x00]),
        ("magic alone", [0x28, 0xB5, 0x2F, 0xFD]),
        ("nothing known", [0, 0, 0, 0, 0, 0, 0]),
    ] as [(String, [UInt8])])
    func `are refused when zstd bytes are of another kind`(what: String, body: [UInt8]) {
        #expect(failure(of: forged(plainLength: 100, method: 1, body: body), sealer: sealer) != nil, "\(what)")
    }

    @Test(arguments: [
        ("raw deflate", [0x63, 0x00]), ("a zlib header", [0x78, 0x9C, 0x63, 0x00]),
        ("a cut header", [0x1F, 0x8B, 0x08]), ("a name without end", [0x1F, 0x8B, 0x08, 0x08, 0, 0, 0, 0, 0, 3, 0x41, 0x41]),
    ] as [(String, [UInt8])])
    func `are refused when gzip bytes are of another kind`(what: String, body: [UInt8]) {
        #expect(failure(of: forged(plainLength: 100, method: 2, body: body), sealer: sealer) != nil, "\(what)")
    }

    private func expectDecompressionFailure(
        _ stored: [UInt8], mentioning word: String = "", sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let failure = failure(of: stored, sealer: sealer)
        if case .decompressionFailed(let what) = failure, word.isEmpty || what.contains(word) { return }
        Issue.record("not a decompression failure: \(String(describing: failure))", sourceLocation: sourceLocation)
    }

    private func zstd(_ plain: [UInt8]) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: ZSTD_compressBound(plain.count))
        let count = ZSTD_compress(&output, output.count, plain, plain.count, 3)
        return Array(output[..<count])
    }

    private func gzip(_ plain: [UInt8]) -> [UInt8] {
        var stream = z_stream()
        guard asof_deflate_init(&stream, 9) == Z_OK else { return [] }
        defer { deflateEnd(&stream) }
        var input = plain
        var output = [UInt8](repeating: 0, count: plain.count / 512 + 1024)
        let capacity = output.count
        input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                #expect(deflate(&stream, Z_FINISH) == Z_STREAM_END)
            }
        }
        return Array(output[..<(capacity - Int(stream.avail_out))])
    }
}
