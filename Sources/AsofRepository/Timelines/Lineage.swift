package import AsofCore
package import AsofFormat

/// A timeline and those that it goes on from, the newest first. A head is read when it is asked for, and not before: who finds a base
/// needs nothing older.
package struct Lineage {
    /// What one timeline has to say of a state.
    package struct Generation: Sendable {
        package let timeline: Timeline
        package let head: Head
        /// What comes behind it belongs to another history.
        package let end: LSN

        /// The timeline's own transactions come behind this one.
        package var start: LSN { head.parent?.lsn ?? .zero }
        /// Those of its segments that count, the last one perhaps in part.
        package var segments: [SealedObject] { head.segments.filter { $0.first <= end } }
        /// The newest base that counts, of those that `reader` did not give up.
        package func base(_ reader: ObjectReader) -> SealedObject? { head.bases.last { $0.last <= end && !reader.isGivenUp($0) } }

        package func name(of segment: SealedObject) -> String {
            ObjectName.segment(timeline.name, first: segment.first, last: segment.last, epoch: segment.epoch)
        }

        package func name(ofBase base: SealedObject) -> String { ObjectName.base(timeline.name, last: base.last, id: base.id) }
    }

    private var upcoming: Generation?
    private var newest: Generation?
    private var seen: Set<String>

    /// `end`: the newest transaction that matters.
    package init(_ timeline: Timeline, head: Head, upTo end: LSN = LSN(.max)) {
        upcoming = Generation(timeline: timeline, head: head, end: end)
        seen = [timeline.name]
    }

    /// Nil: there is nothing older.
    package mutating func next() throws(AsofError) -> Generation? {
        if let first = upcoming {
            (upcoming, newest) = (nil, first)
            return first
        }
        guard let child = newest, let branch = child.head.parent else { return nil }
        newest = try parent(of: child, at: branch)
        return newest
    }

    private mutating func parent(of child: Generation, at branch: Branch) throws(AsofError) -> Generation {
        let what = "timeline \(child.timeline.name) goes on from lsn:\(branch.lsn) of timeline \(branch.timeline)"
        guard seen.insert(branch.timeline).inserted else {
            throw AsofError(.damaged, "\(what), which goes on from it in turn", hint: "restore the heads of both from a copy of the repository")
        }
        let timeline = try child.timeline.repository.timeline(branch.timeline)
        guard let head = try timeline.loadHead() else {
            throw AsofError(.damaged, "\(what), which is not there", hint: "restore it from a copy of the repository")
        }
        guard head.last >= branch.lsn else {
            throw AsofError(.damaged, "\(what), which ends at lsn:\(head.last)", hint: "restore that timeline from a copy of the repository")
        }
        return Generation(timeline: timeline, head: head, end: min(child.end, branch.lsn))
    }
}

extension Timeline {
    /// Whose own history holds a transaction: this timeline's or an ancestor's.
    package func owner(of lsn: LSN, head: Head) throws(AsofError) -> Lineage.Generation {
        var lineage = Lineage(self, head: head, upTo: lsn)
        while let generation = try lineage.next() {
            if lsn > generation.start { return generation }
        }
        throw AsofError(.damaged, "transaction \(lsn) is in no timeline that \(name) goes on from")
    }

    /// All generations that hold transactions from `first` to `last`, oldest first.
    package func generations(from first: LSN, to last: LSN, head: Head) throws(AsofError) -> [Lineage.Generation] {
        var found: [Lineage.Generation] = []
        var lineage = Lineage(self, head: head, upTo: last)
        while let generation = try lineage.next() {
            found.append(generation)
            if first > generation.start { break }
        }
        return found.reversed()
    }
}
