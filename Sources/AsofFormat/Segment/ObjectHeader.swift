package import AsofCore
package import AsofFrame

/// The first 64 bytes of every segment, run and pack: what it is, and the salt of its frames.
package struct ObjectHeader: Hashable, Sendable {
    package enum Kind: UInt8, Sendable { case segment = 1, run = 2 }

    package static let length = 64
    package static let version: UInt16 = 1
    private static let magic = Array("ASOFOBJ1".utf8)

    package var kind: Kind
    package var id: ObjectID
    package var first: LSN
    package var epoch: UInt64

    package init(kind: Kind, id: ObjectID, first: LSN, epoch: UInt64) {
        self.kind = kind
        self.id = id
        self.first = first
        self.epoch = epoch
    }

    package func encode() -> [UInt8] {
        var writer = ByteWriter(reserving: Self.length)
        writer.raw(Self.magic)
        writer.fixed16(Self.version)
        writer.byte(kind.rawValue)
        writer.byte(0)
        writer.fixed32(0)
        writer.raw(id.bytes)
        writer.fixed64(first.rawValue)
        writer.fixed64(epoch)
        writer.raw([UInt8](repeating: 0, count: 12))
        writer.fixed32(crc32c(writer.bytes))
        return writer.bytes
    }

    package init(decoding bytes: [UInt8]) throws(FormatError) {
        var reader = ByteReader(bytes)
        let magic = try reader.bytes(8)
        guard magic == Self.magic else { throw FormatError("this is no object of an asof repository") }
        let version = try reader.fixed16()
        guard version == Self.version else { throw FormatError("object format \(version) is newer than this program; upgrade asof") }
        guard let kind = Kind(rawValue: try reader.byte()) else { throw FormatError("an object of unknown kind") }
        try reader.skip(5)
        guard let id = ObjectID(bytes: try reader.bytes(16)) else { throw .truncated }
        let first = LSN(try reader.fixed64())
        let epoch = try reader.fixed64()
        try reader.skip(12)
        let sum = try reader.fixed32()
        guard bytes.count == Self.length, sum == crc32c(Array(bytes[0..<60])) else { throw FormatError("the header's checksum does not match") }
        self.init(kind: kind, id: id, first: first, epoch: epoch)
    }
}
