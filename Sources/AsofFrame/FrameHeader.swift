/// The first 16 bytes of a frame, integers little-endian:
///
/// ```
///  0  u32  storedLength   bytes of body behind the header, tag included
///  4  u32  plainLength    bytes after opening and decompression
///  8  u8   method         FrameMethod
///  9  u8   role           FrameRole
/// 10  u8   sealing        0 plain, 1 AES-256-GCM
/// 11  u8   reserved       0
/// 12  u32  crc            CRC32C of object id, frame offset (u64), header bytes 0..<12, body as stored
/// ```
/// There is one way to write a frame: a stored body is as long as what it holds, a compressed one is shorter and not empty.
package struct FrameHeader: Hashable, Sendable {
    /// Bytes of every header.
    package static let length = 16
    /// Bytes of it that checksum and tag cover: all before the checksum.
    static let checkedLength = 12

    /// Bytes of body behind the header.
    package let storedLength: Int
    /// Bytes that decoding will give.
    package let plainLength: Int
    package let method: FrameMethod
    package let role: FrameRole
    /// The body is encrypted.
    package let isSealed: Bool

    /// Bytes from this header to whatever stands behind the frame.
    package var frameLength: Int { FrameHeader.length + storedLength }
    /// Bytes of the body without its tag.
    var compressedLength: Int { storedLength - (isSealed ? FrameLimits.tagLength : 0) }

    /// For encoders: lengths that are within the limits already. A tag is added to `compressedLength` where the body is sealed.
    init(compressedLength: Int, plainLength: Int, method: FrameMethod, role: FrameRole, isSealed: Bool) {
        self.storedLength = compressedLength + (isSealed ? FrameLimits.tagLength : 0)
        self.plainLength = plainLength
        self.method = method
        self.role = role
        self.isSealed = isSealed
    }

    /// Reads and judges a header. What it says is plausible afterwards, not proved: the checksum needs the body and the place.
    ///
    /// Throws `truncated`, `tooLong` or `headerInvalid`.
    init(parsing bytes: UnsafeRawBufferPointer) throws(FrameError) {
        guard bytes.count >= FrameHeader.length else { throw .truncated }
        let storedLength = Int(bytes.littleEndian32(at: 0))
        let plainLength = Int(bytes.littleEndian32(at: 4))
        guard let method = FrameMethod(rawValue: bytes[8]) else { throw .headerInvalid("unknown compression \(bytes[8])") }
        guard let role = FrameRole(rawValue: bytes[9]) else { throw .headerInvalid("unknown role \(bytes[9])") }
        guard bytes[10] <= 1 else { throw .headerInvalid("unknown sealing \(bytes[10])") }
        guard bytes[11] == 0 else { throw .headerInvalid("reserved byte is \(bytes[11])") }
        let isSealed = bytes[10] == 1

        guard plainLength <= FrameLimits.plainLengthMax(for: role) else { throw .tooLong }
        guard storedLength <= plainLength + FrameLimits.tagLength else { throw .headerInvalid("body longer than its content") }
        let compressedLength = storedLength - (isSealed ? FrameLimits.tagLength : 0)
        guard compressedLength >= 0 else { throw .headerInvalid("sealed body shorter than its tag") }
        switch method {
        case .stored:
            guard compressedLength == plainLength else { throw .headerInvalid("stored body and content differ in length") }
        case .zstd, .gzip:
            guard compressedLength > 0, compressedLength < plainLength else {
                throw .headerInvalid("compressed body is not shorter than its content")
            }
        }
        self.init(
            compressedLength: compressedLength, plainLength: plainLength, method: method, role: role, isSealed: isSealed)
    }

    /// The bytes that checksum and tag cover.
    var checkedBytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(FrameHeader.length)
        // Both lengths are at most `plainLengthMax` and a tag, far below 2³².
        bytes.appendLittleEndian(UInt32(truncatingIfNeeded: storedLength))
        bytes.appendLittleEndian(UInt32(truncatingIfNeeded: plainLength))
        bytes.append(method.rawValue)
        bytes.append(role.rawValue)
        bytes.append(isSealed ? 1 : 0)
        bytes.append(0)
        return bytes
    }
}
