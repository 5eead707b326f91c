package import AsofCore
internal import AsofFrame

/// What an index says under a key.
package enum IndexValue: Hashable, Sendable {
    /// Attributes with `links == 0`: the inode is gone. `erased`: what older layers know of these ranges is void.
    case inode(Attributes, erased: ErasedRanges)
    case symbolicLink(target: [UInt8])
    /// Nil: removed.
    case extendedAttribute([UInt8]?)
    /// Nil: removed.
    case entry(InodeNumber?)
    case chunk(ExtentMap)
}

extension IndexValue {
    package func encode(into writer: inout ByteWriter) {
        switch self {
        case .inode(let attributes, let erased):
            attributes.encode(into: &writer)
            writer.varint(erased.ranges.count)
            for range in erased.ranges {
                writer.varint(range.lowerBound)
                writer.varint(range.upperBound == .max ? 0 : range.upperBound - range.lowerBound)
            }
        case .symbolicLink(let target):
            writer.raw(target)
        case .extendedAttribute(let value):
            writer.byte(value == nil ? 0 : 1)
            if let value { writer.raw(value) }
        case .entry(let target):
            writer.varint(target?.rawValue ?? 0)
        case .chunk(let map):
            map.encode(into: &writer)
        }
    }

    /// Decodes the value that stands under `key`; `objects`: the length of the run's object table.
    package init(key: IndexKey, bytes: [UInt8], in range: Range<Int>, objects: Int) throws(FormatError) {
        var reader = try ByteReader(bytes, in: range)
        switch key.kind {
        case .inode:
            let attributes = try Attributes(from: &reader)
            let count = try reader.count(unit: 2)
            var ranges: [Range<UInt64>] = []
            for _ in 0..<count {
                let start = try reader.varint()
                let length = try reader.varint()
                let (end, overflow) = start.addingReportingOverflow(length)
                guard !overflow else { throw FormatError("an erased range overflows") }
                ranges.append(start..<(length == 0 ? .max : end))
            }
            guard let erased = ErasedRanges(sorted: ranges) else { throw FormatError("erased ranges are not sorted") }
            self = .inode(attributes, erased: erased)
        case .symbolicLink:
            self = .symbolicLink(target: try reader.bytes(reader.remaining))
        case .extendedAttribute:
            let isThere = try reader.byte()
            guard isThere <= 1 else { throw FormatError("an extended attribute is neither there nor gone") }
            self = .extendedAttribute(isThere == 1 ? try reader.bytes(reader.remaining) : nil)
        case .entry:
            let number = try reader.varint()
            self = .entry(number == 0 ? nil : InodeNumber(number))
        case .chunk:
            self = .chunk(try ExtentMap(from: &reader, chunk: key.chunk, objects: objects))
        case nil:
            throw FormatError("a key of unknown kind")
        }
        guard reader.isAtEnd else { throw FormatError("a value is longer than it should be") }
    }
}

extension Attributes {
    func encode(into writer: inout ByteWriter) {
        writer.varint(UInt64(mode))
        writer.varint(UInt64(links))
        writer.varint(UInt64(owner))
        writer.varint(UInt64(group))
        writer.varint(size)
        writer.varint(device)
        writer.signedVarint(modified.nanoseconds)
        writer.signedVarint(changed.nanoseconds &- modified.nanoseconds)
    }

    init(from reader: inout ByteReader) throws(FormatError) {
        let mode = try reader.narrow32()
        let links = try reader.narrow32()
        let owner = try reader.narrow32()
        let group = try reader.narrow32()
        let size = try reader.varint()
        let device = try reader.varint()
        let modified = try reader.signedVarint()
        let changed = modified &+ (try reader.signedVarint())
        guard size <= UInt64(Int64.max) else { throw FormatError("a size is larger than any file") }
        self.init(
            mode: mode, links: links, owner: owner, group: group, size: size, device: device,
            modified: Instant(nanoseconds: modified), changed: Instant(nanoseconds: changed))
    }
}

extension ByteReader {
    mutating func narrow32() throws(FormatError) -> UInt32 {
        guard let value = UInt32(exactly: try varint()) else { throw FormatError("a number is longer than 32 bits") }
        return value
    }
}

extension ExtentMap {
    /// Each extent: start relative to the end of the one before, length, object + 1 (0: zero), then, unless it goes on in the
    /// same frame: frame offset (signed difference to the last), frame length; then the position in the frame.
    func encode(into writer: inout ByteWriter) {
        writer.varint(extents.count)
        var position = extents.first.map { Chunk.range(Chunk.index(of: $0.start)).lowerBound } ?? 0
        var frame: (object: UInt32, offset: UInt64, length: UInt32) = (0, 0, 0)
        for extent in extents {
            writer.varint(extent.start &- position)
            writer.varint(extent.length)
            position = extent.end
            guard !extent.isZero else {
                writer.varint(0)
                continue
            }
            let isSame = frame == (extent.object, extent.frameOffset, extent.frameLength)
            writer.varint((UInt64(extent.object) &+ 1) << 1 | (isSame ? 1 : 0))
            if !isSame {
                writer.signedVarint(Int64(bitPattern: extent.frameOffset &- frame.offset))
                writer.varint(UInt64(extent.frameLength))
                frame = (extent.object, extent.frameOffset, extent.frameLength)
            }
            writer.varint(UInt64(extent.skip))
        }
    }

    init(from reader: inout ByteReader, chunk: UInt64, objects: Int) throws(FormatError) {
        let bounds = Chunk.range(chunk)
        var position = bounds.lowerBound
        var frame: (object: UInt32, offset: UInt64, length: UInt32) = (0, 0, 0)
        var extents: [Extent] = []
        let count = try reader.count(unit: 3)
        extents.reserveCapacity(count)
        for _ in 0..<count {
            let skipped = try reader.varint()
            let length = try reader.varint()
            guard skipped <= bounds.upperBound - position, length > 0, length <= bounds.upperBound - position - skipped else {
                throw FormatError("an extent leaves its chunk")
            }
            let start = position + skipped
            position = start + length
            let tag = try reader.varint()
            guard tag != 0 else {
                extents.append(.zero(start: start, length: length))
                continue
            }
            guard tag >> 1 >= 1, tag >> 1 <= UInt64(objects) else { throw FormatError("an extent names an object that is not in the table") }
            if tag & 1 == 0 {
                let offset = frame.offset &+ UInt64(bitPattern: try reader.signedVarint())
                frame = (UInt32((tag >> 1) - 1), offset, try reader.narrow32())
                guard frame.length > 0 else { throw FormatError("an extent names an empty frame") }
            } else if frame.length == 0 || frame.object != UInt32((tag >> 1) - 1) {
                throw FormatError("an extent goes on in no frame")
            }
            let skip = try reader.narrow32()
            guard UInt64(skip) + length <= UInt64(FrameBounds.payloadMax) else { throw FormatError("an extent leaves its frame") }
            extents.append(
                Extent(
                    start: start, length: length, object: frame.object, frameOffset: frame.offset, frameLength: frame.length,
                    skip: skip))
        }
        guard let map = ExtentMap(sorted: extents) else { throw FormatError("extents overlap") }
        self = map
    }
}

/// Sizes that the format fixes.
package enum FrameBounds {
    /// Plain bytes of a payload frame at most.
    package static let payloadMax = 256 << 10
    /// Bytes of a payload frame as stored, with header and tag.
    package static let storedMax = UInt32(payloadMax + FrameHeader.length + FrameLimits.tagLength)
    /// Plain bytes of an index page, where it splits.
    package static let pageTarget = 32 << 10
    /// Plain bytes of payload after which a group of the log ends.
    package static let groupMax = 4 << 20
}
