internal import AsofCore
internal import CLinux

/// A record of the journal: 16 bytes of header, then the body, padded to a multiple of 8.
///
///     u32 length        of header and body, before padding
///     u8  kind, u8[3]   0
///     u32 header sum    CRC32C of place and the 8 bytes before: a length can be trusted before the body is
///     u32 body sum      CRC32C of place and body
///
/// `place` is the file's sequence number and the record's offset in it, so that what an earlier use of the file left is not taken for new.
enum JournalRecord {
    static let headerLength = 16

    enum Kind: UInt8 {
        /// What is about to be done, with the bytes of a write.
        case intent = 1
        /// What was done: a transaction, in the order of the log.
        case commit = 2
        /// The intent named here changed nothing.
        case abort = 3
        /// The rest of the file is not used.
        case end = 4
        /// A copy of bytes that the transaction of the intent named here refers to in a file: they are about to go there.
        case kept = 5
        /// Everything before the position named here was made durable: where less than that is found, it was not a power cut that took it.
        case promise = 6
        /// An intent with what it is going to be committed as: a start carries it out where nothing says what came of it.
        case redo = 7
    }

    static func padded(_ length: Int) -> Int { (length + 7) & ~7 }

    /// Writes the header's first 12 bytes: from now on a reader can step over the record.
    static func writeHeader(_ base: UnsafeMutableRawPointer, offset: Int, kind: Kind, length: Int, sequence: UInt64) {
        let start = base + offset
        start.storeBytes(of: UInt32(length), as: UInt32.self)
        (start + 4).storeBytes(of: UInt32(kind.rawValue), as: UInt32.self)
        (start + 8).storeBytes(of: headerSum(start, offset: offset, sequence: sequence), as: UInt32.self)
    }

    /// Writes the body's sum: from now on the record counts. `body`: its pieces, in order.
    static func complete(_ base: UnsafeMutableRawPointer, offset: Int, sequence: UInt64, body: UnsafeRawBufferPointer...) {
        var sum = seed(offset, sequence)
        for piece in body { sum = asof_crc32c(sum, piece.baseAddress, piece.count) }
        (base + offset + 12).storeBytes(of: sum, as: UInt32.self)
    }

    struct Header {
        var kind: Kind
        /// Header and body, before padding.
        var length: Int
    }

    /// The header at `offset`; nil where there is no record.
    static func header(_ base: UnsafeRawPointer, offset: Int, limit: Int, sequence: UInt64) -> Header? {
        guard offset >= 0, limit - offset >= headerLength else { return nil }
        let start = base + offset
        let length = Int(start.loadUnaligned(as: UInt32.self))
        guard length >= headerLength, length <= limit - offset,
            let kind = Kind(rawValue: (start + 4).loadUnaligned(as: UInt8.self)),
            (start + 8).loadUnaligned(as: UInt32.self) == headerSum(start, offset: offset, sequence: sequence)
        else { return nil }
        return Header(kind: kind, length: length)
    }

    /// True when the body is what was written.
    static func isComplete(_ base: UnsafeRawPointer, offset: Int, length: Int, sequence: UInt64) -> Bool {
        let start = base + offset
        let sum = asof_crc32c(seed(offset, sequence), start + headerLength, length - headerLength)
        return (start + 12).loadUnaligned(as: UInt32.self) == sum
    }

    private static func headerSum(_ start: UnsafeRawPointer, offset: Int, sequence: UInt64) -> UInt32 {
        asof_crc32c(seed(offset, sequence), start, 8)
    }

    private static func seed(_ offset: Int, _ sequence: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: sequence &* 0x9E37_79B9_7F4A_7C15 &>> 32) ^ UInt32(truncatingIfNeeded: offset)
    }
}
