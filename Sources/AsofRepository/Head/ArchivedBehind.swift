package import AsofCore
package import AsofFormat
internal import AsofFrame
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

    /// Takes them up. What else the lost head said is not known, so none of the states between is taken for exact, nor the last one: it may stand in
    /// the middle of a comparison.
    package func bringUpToDate(_ head: inout Head) throws(AsofError) {
        head.epoch = max(head.epoch, newestEpoch)
        guard let newest = segments.last, newest.last > head.last else { return }
        let old = CutPoint(lsn: head.last, time: max(head.lastTime, head.unsettledSince == nil ? head.capturedUntil : .distantPast))
        for segment in segments where segment.first > head.last { try head.append(segment) }
        head.declare(Gap(after: old, before: CutPoint(lsn: newest.last, time: newest.lastTime), reason: Self.reason))
        head.unsettledSince = head.unsettledSince ?? old
    }
}

extension Timeline {
    /// The name of a segment that is archived and of which the head does not know. While a capture runs that may be one that it is about to publish.
    package func nameBehind(_ head: Head) throws(AsofError) -> String? {
        try repository.store.list(prefix: ObjectName.segments(name, from: head.last.next)).last?.name
    }

    /// The names of all segments that begin behind the head, by their first transactions. Where the head is the newest this is one listing that finds
    /// nothing.
    package func namesBehind(_ head: Head) throws(AsofError) -> [LSN: [String]] {
        guard try nameBehind(head) != nil else { return [:] }
        var names: [LSN: [String]] = [:]
        for object in try repository.store.list(prefix: ObjectName.segments(name)) {
            guard let segment = ObjectName.segment(object.name), segment.first > head.last else { continue }
            names[segment.first, default: []].append(object.name)
        }
        return names
    }

    /// What of `names` goes on from the head, up to `waiting`: the first transaction of what a spool holds, whose capture publishes it itself.
    package func archivedBehind(_ head: Head, _ names: [LSN: [String]], before waiting: LSN? = nil) throws(AsofError) -> ArchivedBehind {
        var found = ArchivedBehind()
        found.newestEpoch = names.values.joined().compactMap { ObjectName.segment($0)?.epoch }.max() ?? 0
        var (last, hash) = (head.last, head.segments.last?.hash ?? [])
        while last.next != waiting ?? .zero, let candidates = names[last.next] {
            var next: SealedObject?
            for name in candidates {
                // One below the head's own epoch: what a capture archived after it was fenced is no part of this history.
                guard let epoch = ObjectName.segment(name)?.epoch, epoch >= max(head.epoch, next?.epoch ?? 0) else { continue }
                guard let bytes = try repository.store.get(name)?.bytes, let read = try? SealedObject.reading(bytes, of: repository) else { continue }
                if read.object.first == last.next, read.tail.previousHash == hash { next = read.object }
            }
            guard let next else {
                found.stranger = candidates.last
                return found
            }
            found.segments.append(next)
            (last, hash) = (next.last, next.hash)
        }
        return found
    }
}
