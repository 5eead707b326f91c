package import AsofCore
package import AsofFrame

/// One group of a segment: where its operations are and what they span.
package struct GroupReference: Hashable, Sendable {
    /// The frame of the operation table; the group's payload frames end where it begins.
    package var tableOffset: UInt64
    package var tableLength: UInt32
    package var first: LSN
    package var last: LSN
    package var firstTime: Instant
    package var lastTime: Instant

    package init(tableOffset: UInt64, tableLength: UInt32, first: LSN, last: LSN, firstTime: Instant, lastTime: Instant) {
        self.tableOffset = tableOffset
        self.tableLength = tableLength
        self.first = first
        self.last = last
        self.firstTime = firstTime
        self.lastTime = lastTime
    }
}

/// One page of an index.
package struct PageReference: Hashable, Sendable {
    package var firstKey: IndexKey
    package var offset: UInt64
    package var length: UInt32

    package init(firstKey: IndexKey, offset: UInt64, length: UInt32) {
        self.firstKey = firstKey
        self.offset = offset
        self.length = length
    }
}

/// An object that extents point into. Its name in the store follows from these.
package struct ObjectReference: Hashable, Sendable {
    package var timeline: String
    package var first: LSN
    package var last: LSN
    package var epoch: UInt64
    package var id: ObjectID

    package init(timeline: String, first: LSN, last: LSN, epoch: UInt64, id: ObjectID) {
        self.timeline = timeline
        self.first = first
        self.last = last
        self.epoch = epoch
        self.id = id
    }
}

/// The end of a segment or run: everything a reader needs to find its way in it. One frame, then a 32-byte trailer.
package struct ObjectTail: Hashable, Sendable {
    /// The transactions that the object holds (segment), or up to which it holds the directory (run: first is 1).
    package var first: LSN
    package var last: LSN
    package var firstTime: Instant
    package var lastTime: Instant
    /// SHA-256 of the segment before, 32 bytes; empty for the first and for runs.
    package var previousHash: [UInt8]
    package var groups: [GroupReference]
    package var pages: [PageReference]
    package var inodes: InodeSet
    /// What extents point into. A segment's has one entry: the segment itself.
    package var objects: [ObjectReference]
    /// The highest inode number that was ever given on the timeline up to here.
    package var highestInode: InodeNumber

    package static let trailerLength = 32
    private static let magic = Array("ASOFTAIL".utf8)

    package func encode() -> [UInt8] {
        var writer = ByteWriter()
        writer.varint(first.rawValue)
        writer.varint(last.rawValue)
        writer.signedVarint(firstTime.nanoseconds)
        writer.signedVarint(lastTime.nanoseconds)
        writer.string(previousHash)
        writer.varint(highestInode.rawValue)
        writer.varint(objects.count)
        for object in objects {
            writer.string(Array(object.timeline.utf8))
            writer.varint(object.first.rawValue)
            writer.varint(object.last.rawValue)
            writer.varint(object.epoch)
            writer.raw(object.id.bytes)
        }
        writer.varint(groups.count)
        for group in groups {
            writer.varint(group.tableOffset)
            writer.varint(UInt64(group.tableLength))
            writer.varint(group.first.rawValue)
            writer.varint(group.last.rawValue)
            writer.signedVarint(group.firstTime.nanoseconds)
            writer.signedVarint(group.lastTime.nanoseconds)
        }
        writer.varint(pages.count)
        for page in pages {
            writer.string(page.firstKey.bytes)
            writer.varint(page.offset)
            writer.varint(UInt64(page.length))
        }
        inodes.encode(into: &writer)
        return writer.bytes
    }

    package init(
        first: LSN, last: LSN, firstTime: Instant, lastTime: Instant, previousHash: [UInt8], groups: [GroupReference],
        pages: [PageReference], inodes: InodeSet, objects: [ObjectReference], highestInode: InodeNumber
    ) {
        self.first = first
        self.last = last
        self.firstTime = firstTime
        self.lastTime = lastTime
        self.previousHash = previousHash
        self.groups = groups
        self.pages = pages
        self.inodes = inodes
        self.objects = objects
        self.highestInode = highestInode
    }

    package init(decoding bytes: [UInt8]) throws(FormatError) {
        var reader = ByteReader(bytes)
        first = LSN(try reader.varint())
        last = LSN(try reader.varint())
        firstTime = Instant(nanoseconds: try reader.signedVarint())
        lastTime = Instant(nanoseconds: try reader.signedVarint())
        previousHash = try reader.string()
        highestInode = InodeNumber(try reader.varint())
        objects = []
        for _ in 0..<(try reader.count(unit: 20)) {
            guard let timeline = String(validating: try reader.string(), as: UTF8.self) else { throw FormatError("a timeline's name is no text") }
            let first = LSN(try reader.varint())
            let last = LSN(try reader.varint())
            let epoch = try reader.varint()
            guard let id = ObjectID(bytes: try reader.bytes(16)) else { throw .truncated }
            objects.append(ObjectReference(timeline: timeline, first: first, last: last, epoch: epoch, id: id))
        }
        groups = []
        for _ in 0..<(try reader.count(unit: 6)) {
            groups.append(
                GroupReference(
                    tableOffset: try reader.varint(), tableLength: try reader.narrow32(), first: LSN(try reader.varint()),
                    last: LSN(try reader.varint()), firstTime: Instant(nanoseconds: try reader.signedVarint()),
                    lastTime: Instant(nanoseconds: try reader.signedVarint())))
        }
        // A segment's own extents point into its first object, and its groups hold its transactions without a hole.
        if let start = groups.first, let end = groups.last {
            guard !objects.isEmpty else { throw FormatError("a segment's object table is empty") }
            guard start.first == first, end.last == last, groups.allSatisfy({ $0.first <= $0.last }),
                zip(groups, groups.dropFirst()).allSatisfy({ $0.last.next == $1.first })
            else { throw FormatError("groups of transactions are missing or out of order") }
        }
        pages = []
        for _ in 0..<(try reader.count(unit: 12)) {
            guard let key = IndexKey(bytes: try reader.string()) else { throw FormatError("a page begins with bytes that are no key") }
            if let last = pages.last, last.firstKey >= key { throw FormatError("pages are not sorted") }
            pages.append(PageReference(firstKey: key, offset: try reader.varint(), length: try reader.narrow32()))
        }
        inodes = try InodeSet(from: &reader)
        guard reader.isAtEnd else { throw FormatError("bytes follow the tail") }
    }

    /// The last 32 bytes of the object: where the tail's frame is.
    package static func trailer(tailOffset: UInt64, tailLength: UInt32, id: ObjectID) -> [UInt8] {
        var writer = ByteWriter(reserving: trailerLength)
        writer.fixed64(tailOffset)
        writer.fixed32(tailLength)
        writer.fixed64(0)
        writer.fixed32(crc32c(id.bytes + writer.bytes))
        writer.raw(magic)
        return writer.bytes
    }

    package static func parseTrailer(_ bytes: [UInt8], id: ObjectID) throws(FormatError) -> (offset: UInt64, length: UInt32) {
        var reader = ByteReader(bytes)
        let offset = try reader.fixed64()
        let length = try reader.fixed32()
        try reader.skip(8)
        let sum = try reader.fixed32()
        guard bytes.count == trailerLength, try reader.bytes(8) == magic, sum == crc32c(id.bytes + Array(bytes[0..<20])) else {
            throw FormatError("the object's trailer is damaged")
        }
        return (offset, length)
    }
}
