import AsofFrame

/// SplitMix64: the same numbers for the same seed, everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

extension ObjectID {
    /// The same byte sixteen times.
    static func filled(_ byte: UInt8) -> ObjectID {
        ObjectID(bytes: [UInt8](repeating: byte, count: 16)) ?? .random()
    }
}

extension FrameSealer {
    /// Object 1 of repository 2 unless told otherwise; sealed by a key of bytes 3.
    static func fixture(isSealed: Bool, object: UInt8 = 1, repository: UInt8 = 2, key: UInt8 = 3) -> FrameSealer {
        FrameSealer(
            object: .filled(object), repository: .filled(repository),
            dataKey: isSealed ? DataKey(bytes: [UInt8](repeating: key, count: 32)) : nil)
    }
}

/// What frames are made of in the tests.
enum Content: CaseIterable {
    case zeros, text, random

    func bytes(_ count: Int) -> [UInt8] {
        switch self {
        case .zeros: return [UInt8](repeating: 0, count: count)
        case .text: return (0..<count).map { UInt8(ascii: "a") + UInt8($0 * $0 / 7 % 19) }
        case .random:
            var generator = SeededGenerator(seed: UInt64(count))
            return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
        }
    }
}

func encoded(
    _ plain: [UInt8], compression: Compression, role: FrameRole = .payload, offset: UInt64 = 4096, sealer: FrameSealer
) throws(FrameError) -> [UInt8] {
    let encoder = FrameEncoder(compression: compression)
    var output: [UInt8] = []
    try encode(plain, with: encoder, role: role, offset: offset, sealer: sealer, into: &output)
    return output
}

func encode(
    _ plain: [UInt8], with encoder: FrameEncoder, role: FrameRole = .payload, offset: UInt64, sealer: FrameSealer,
    into output: inout [UInt8]
) throws(FrameError) {
    var failure: FrameError?
    plain.withUnsafeBytes { plain in
        do throws(FrameError) {
            try encoder.encode(plain, role: role, offset: offset, sealer: sealer, into: &output)
        } catch { failure = error }
    }
    if let failure { throw failure }
}

/// Decodes from memory of exactly the frame's length, so that a sanitizer sees every read beyond it.
func decoded(
    _ stored: [UInt8], with decoder: FrameDecoder = FrameDecoder(), role: FrameRole = .payload, offset: UInt64 = 4096,
    sealer: FrameSealer
) throws(FrameError) -> [UInt8] {
    let exact = UnsafeMutableRawBufferPointer.allocate(byteCount: stored.count, alignment: 1)
    defer { exact.deallocate() }
    exact.copyBytes(from: stored)
    return try decoder.decode(UnsafeRawBufferPointer(exact), role: role, offset: offset, sealer: sealer)
}

/// What decoding fails with, or nil where it does not.
func failure(
    of stored: [UInt8], with decoder: FrameDecoder = FrameDecoder(), role: FrameRole = .payload, offset: UInt64 = 4096,
    sealer: FrameSealer
) -> FrameError? {
    do throws(FrameError) {
        _ = try decoded(stored, with: decoder, role: role, offset: offset, sealer: sealer)
        return nil
    } catch {
        return error
    }
}

func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

/// A plain frame of `FrameSealer.fixture` with whatever header and body an attacker likes, and the right checksum.
func forged(
    storedLength: UInt32? = nil, plainLength: UInt32, method: UInt8, role: UInt8 = 1, sealing: UInt8 = 0, reserved: UInt8 = 0,
    body: [UInt8], object: ObjectID = .filled(1), offset: UInt64 = 4096
) -> [UInt8] {
    let header =
        littleEndian(storedLength ?? UInt32(body.count)) + littleEndian(plainLength) + [method, role, sealing, reserved]
    return header + littleEndian(crc32c(object.bytes + littleEndian(offset) + header + body)) + body
}
