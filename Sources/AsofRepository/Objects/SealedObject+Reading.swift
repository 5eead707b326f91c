internal import AsofCore
package import AsofFormat
internal import AsofFrame

extension SealedObject {
    /// What the head must say of a segment, and its tail, found in the segment itself: `bytes` is all of it. Damage is a `FormatError`, or what a
    /// frame's decoder throws.
    package static func reading(_ bytes: [UInt8], of repository: Repository) throws -> (object: SealedObject, tail: ObjectTail) {
        guard bytes.count >= ObjectHeader.length + ObjectTail.trailerLength else { throw FormatError("ends too early") }
        let header = try ObjectHeader(decoding: Array(bytes[0..<ObjectHeader.length]))
        let trailer = Array(bytes[(bytes.count - ObjectTail.trailerLength)...])
        let place = try ObjectTail.parseTrailer(trailer, id: header.id)
        guard place.offset <= UInt64(bytes.count), UInt64(place.length) <= UInt64(bytes.count) - place.offset else {
            throw FormatError("the tail lies outside")
        }
        let start = Int(place.offset)
        let frame = Array(bytes[start..<start + Int(place.length)])
        let sealer = repository.sealer(for: header.id)
        let plain = try frame.withUnsafeBytes { try FrameDecoder().decode($0, role: .tail, offset: place.offset, sealer: sealer) }
        let tail = try ObjectTail(decoding: plain)
        var fuzzy = FuzzyCuts()
        for group in tail.groups {
            for transaction in try transactions(of: group, in: bytes, sealer).transactions where transaction.verb.isFuzzy {
                fuzzy.add(transaction.lsn, at: transaction.time)
            }
        }
        let object = SealedObject(
            first: tail.first, last: tail.last, firstTime: tail.firstTime, lastTime: tail.lastTime, epoch: header.epoch,
            id: header.id, size: UInt64(bytes.count), hash: SHA256Hasher.hash(bytes), tailOffset: place.offset,
            tailLength: place.length, highestInode: tail.highestInode, fuzzy: fuzzy)
        return (object, tail)
    }

    private static func transactions(of group: GroupReference, in bytes: [UInt8], _ sealer: FrameSealer) throws -> OperationTable {
        let (start, length) = (group.tableOffset, UInt64(group.tableLength))
        guard start <= UInt64(bytes.count), length <= UInt64(bytes.count) - start else { throw FormatError("operations lie outside") }
        let frame = Array(bytes[Int(start)..<Int(start + length)])
        return try OperationTable(
            decoding: try frame.withUnsafeBytes { try FrameDecoder().decode($0, role: .operations, offset: start, sealer: sealer) })
    }
}
