package import AsofCore
internal import AsofFormat

/// A state that can be shown: the directory after a transaction.
package struct Cut: Hashable, Sendable {
    package var lsn: LSN
    /// When that transaction happened: nothing changed from then until the instant that was asked for.
    package var time: Instant

    package init(lsn: LSN, time: Instant) {
        self.lsn = lsn
        self.time = time
    }
}

/// What somebody asked to see.
package enum CutRequest: Hashable, Sendable {
    case instant(Instant)
    case lsn(LSN)
    case latest
}

extension Timeline {
    /// The cut that a request means, or why there is none. Its time means it as well.
    package func resolve(_ request: CutRequest, head: Head, reader: ObjectReader) throws(AsofError) -> Cut {
        var cut = try find(request, head: head, reader: reader)
        // The first state of the window, or behind a gap, is known to be one a moment after its transaction.
        for point in [head.first].compactMap({ $0 }) + head.gaps.map(\.before) where point.lsn == cut.lsn { cut.time = max(cut.time, point.time) }
        return cut
    }

    private func find(_ request: CutRequest, head: Head, reader: ObjectReader) throws(AsofError) -> Cut {
        guard let first = head.first else {
            throw AsofError(
                .outsideWindow, "timeline \(name) has no recoverable state yet: its first scan is not finished",
                hint: "`asof status` says how far it is")
        }
        switch request {
        case .latest: return try cut(head.newestExact, head: head, reader: reader)
        case .lsn(let lsn) where lsn > head.lastExact && lsn <= head.last: throw unsettled("transaction \(lsn)", head)
        case .instant(let instant) where isUnsettled(instant, head): throw unsettled(instant.description, head)
        case .lsn(let lsn):
            guard lsn >= first.lsn, lsn <= head.last else { throw outside("transaction \(lsn)", first, head) }
            if let parent = head.parent, lsn <= parent.lsn {
                let owner = try owner(of: lsn, head: head)
                return try owner.timeline.resolve(.lsn(lsn), head: owner.head, reader: reader)
            }
            if let gap = head.gaps.first(where: { lsn > $0.after.lsn && lsn < $0.before.lsn }) { throw inGap("transaction \(lsn)", gap) }
            return try cut(lsn, head: head, reader: reader)
        case .instant(let instant):
            guard instant >= first.time, instant <= head.capturedUntil else { throw outside(instant.description, first, head) }
            if let gap = head.gaps.first(where: { instant > $0.after.time && instant < $0.before.time }) {
                throw inGap(instant.description, gap)
            }
            return try cut(lastAt: instant, first, head: head, reader: reader)
        }
    }

    private func outside(_ what: String, _ first: CutPoint, _ head: Head) -> AsofError {
        AsofError(
            .outsideWindow, "\(what) is outside of what was captured on timeline \(name)",
            hint: "the window is \(first.time) (lsn:\(first.lsn)) to \(head.exactUntil) (lsn:\(head.lastExact))")
    }

    private func isUnsettled(_ instant: Instant, _ head: Head) -> Bool {
        guard let since = head.unsettledSince else { return false }
        return instant > since.time && instant <= head.capturedUntil
    }

    private func unsettled(_ what: String, _ head: Head) -> AsofError {
        AsofError(
            .inGap, "\(what) is not known to be exact yet: the directory is being compared with the log since the capture started again",
            hint: "try again when `asof status` says that this is done, or take lsn:\(head.lastExact)")
    }

    private func inGap(_ what: String, _ gap: Gap) -> AsofError {
        AsofError(
            .inGap, "\(what) is in a gap (\(gap.reason)): changes between \(gap.after.time) and \(gap.before.time) were not captured",
            hint: "the exact states nearest to it are lsn:\(gap.after.lsn) before and lsn:\(gap.before.lsn) behind")
    }

    /// The cut after a transaction, whatever is known of it: also one inside a gap.
    package func cut(_ lsn: LSN, head: Head, reader: ObjectReader) throws(AsofError) -> Cut {
        if let parent = head.parent, lsn <= parent.lsn {
            let owner = try owner(of: lsn, head: head)
            return try owner.timeline.cut(lsn, head: owner.head, reader: reader)
        }
        guard let segment = head.segments.first(where: { $0.first <= lsn && lsn <= $0.last }) else {
            throw AsofError(.damaged, "transaction \(lsn) is in no segment")
        }
        if lsn == segment.last { return Cut(lsn: lsn, time: segment.lastTime) }
        let name = ObjectName.segment(self.name, first: segment.first, last: segment.last, epoch: segment.epoch)
        let tail = try reader.tail(of: segment, name: name)
        guard let group = tail.groups.first(where: { $0.first <= lsn && lsn <= $0.last }),
            let transaction = try reader.operations(group, of: name, segment.id).transactions.first(where: { $0.lsn == lsn })
        else { throw AsofError(.damaged, "\(name) is damaged: it lacks transaction \(lsn)") }
        return Cut(lsn: lsn, time: transaction.time)
    }

    /// The last cut with a time at or before `instant`, of this timeline or, before the point where it leaves it, of its parent.
    private func cut(lastAt instant: Instant, _ first: CutPoint, head: Head, reader: ObjectReader) throws(AsofError) -> Cut {
        var lineage = Lineage(self, head: head)
        var child: Head?
        while let generation = try lineage.next() {
            if let branch = child?.parent, instant >= branch.time { return Cut(lsn: branch.lsn, time: branch.time) }
            if child != nil, let gap = generation.head.gaps.first(where: { instant > $0.after.time && instant < $0.before.time }) {
                throw generation.timeline.inGap(instant.description, gap)
            }
            if generation.head.parent == nil || generation.head.segments.contains(where: { $0.firstTime <= instant }) {
                return try generation.timeline.ownCut(lastAt: instant, first, head: generation.head, reader: reader)
            }
            child = generation.head
        }
        return Cut(lsn: first.lsn, time: first.time)
    }

    /// The same among this timeline's own transactions. Times never go back along the log.
    private func ownCut(lastAt instant: Instant, _ first: CutPoint, head: Head, reader: ObjectReader) throws(AsofError) -> Cut {
        guard let segment = head.segments.last(where: { $0.firstTime <= instant }) else {
            return Cut(lsn: first.lsn, time: first.time)
        }
        if segment.lastTime <= instant { return Cut(lsn: segment.last, time: segment.lastTime) }
        let name = ObjectName.segment(self.name, first: segment.first, last: segment.last, epoch: segment.epoch)
        let tail = try reader.tail(of: segment, name: name)
        guard let group = tail.groups.last(where: { $0.firstTime <= instant }) else {
            throw AsofError(.damaged, "\(name) is damaged: no group of transactions holds \(instant)")
        }
        if group.lastTime <= instant { return Cut(lsn: group.last, time: group.lastTime) }
        let transactions = try reader.operations(group, of: name, segment.id).transactions
        guard let last = transactions.last(where: { $0.time <= instant }) else {
            throw AsofError(.damaged, "\(name) is damaged: no transaction of a group holds \(instant)")
        }
        return Cut(lsn: last.lsn, time: last.time)
    }
}
