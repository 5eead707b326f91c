package import AsofCore
package import AsofFormat
package import AsofFrame
internal import AsofStore

/// Segments that are archived and go on where a head ends, though it does not know them: the head was brought back from an older copy, or whoever
/// archived them died before it could say so, and its spool is not here.
package struct ArchivedBehind: Sendable {
    /// Oldest first, each following the one before it by its transactions and by that one's hash.
    package fileprivate(set) var segments: [SealedObject] = []
    /// Larger than that of any segment whose name begins behind the head: what a new epoch must not reach, or names come again.
    package var newestEpoch: UInt64 = 0
    /// A segment stands there that cannot be read, or that does not go on from what is there.
    package fileprivate(set) var stranger: String?

    package init() {}

    package static let reason = "the timeline's head was older than what is archived: gaps that were declared since are not known"

    /// Takes them up. What else the lost head said is not known, so none of the states between is taken for exact.
    package func bringUpToDate(_ head: inout Head) throws(AsofError) {
        head.epoch = max(head.epoch, newestEpoch)
        guard let newest = segments.last, newest.last > head.last else { return }
        let old = CutPoint(lsn: head.last, time: max(head.lastTime, head.unsettledSince == nil ? head.capturedUntil : .distantPast))
        for segment in segments where segment.first > head.last { try head.append(segment) }
        head.declare(Gap(after: old, before: CutPoint(lsn: newest.last, time: newest.lastTime), reason: Self.reason))
    }
}

extension Timeline {
    /// The name of a segment that is archived and of which the head does not know. While a capture runs that may be one that it is about to publish.
    package func nameBehind(_ head: Head) throws(AsofError) -> String? {
        try repository.store.list(prefix: ObjectName.segments(name, from: head.last.next)).last?.name
    }

    /// `waiting`: of a spool, whose capture archives and publishes them itself. Where the head is the newest this is one listing that finds nothing.
    package func archivedBehind(_ head: Head, waiting: Set<ObjectID> = []) throws(AsofError) -> ArchivedBehind {
        var found = ArchivedBehind()
        var (last, hash) = (head.last, head.segments.last?.hash ?? [])
        while last < LSN(.max) {
            let names = try repository.store.list(prefix: ObjectName.segments(name, from: last.next)).map(\.name)
            found.newestEpoch = names.compactMap(ObjectName.epoch(ofSegment:)).reduce(found.newestEpoch, max)
            var next: SealedObject?
            var isWaiting = false
            for name in names {
                guard let bytes = try repository.store.get(name)?.bytes, let read = try? SealedObject.reading(bytes, of: repository) else { continue }
                if waiting.contains(read.object.id) { isWaiting = true }
                if read.object.first == last.next, read.tail.previousHash == hash, read.object.epoch >= next?.epoch ?? 0 { next = read.object }
            }
            guard !isWaiting, let next else {
                if !isWaiting { found.stranger = names.last }
                return found
            }
            found.segments.append(next)
            (last, hash) = (next.last, next.hash)
        }
        return found
    }
}
