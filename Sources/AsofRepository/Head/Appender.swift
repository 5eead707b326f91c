package import AsofCore
package import AsofFormat
internal import AsofSystem

/// The right to append to a timeline: an epoch of one's own. Whoever takes a newer one fences this.
package final class Appender: Sendable {
    package let timeline: Timeline
    package let epoch: UInt64
    /// The head as it was when the epoch was taken.
    package let start: Head
    /// The head as this appender published it last. Only its bases are changed by others.
    private let published: Lock<Head>

    private init(timeline: Timeline, epoch: UInt64, start: Head) {
        self.timeline = timeline
        self.epoch = epoch
        self.start = start
        published = Lock(start)
    }

    /// Takes the timeline over from nobody, or from a holder of which `isGone` says that it cannot write any more. What comes behind
    /// `unsettledSince` is not known to be exact until the new appender says so. `behind`: what is archived and the head does not know.
    package static func take(
        _ timeline: Timeline, as holder: Holder, unsettledSince: CutPoint, behind: ArchivedBehind = ArchivedBehind(), isGone: (Holder, Head) -> Bool
    ) throws(AsofError) -> Appender {
        _ = try timeline.loadHead()  // refuses a timeline that has lost its head
        let head = try timeline.update { head throws(AsofError) in
            if let other = head.holder, !isGone(other, head) {
                throw AsofError(
                    .locked, "timeline \(timeline.name) is being captured by \(other.description)",
                    hint: "stop that one first; if its host is gone for good, --take-over fences it")
            }
            try behind.bringUpToDate(&head)
            let (epoch, overflow) = head.epoch.addingReportingOverflow(1)
            guard !overflow else { throw AsofError(.damaged, "the head of timeline \(timeline.name) has an epoch that no capture can have had") }
            head.epoch = epoch
            head.holder = holder
            head.unsettledSince = head.unsettledSince ?? unsettledSince
        }
        return Appender(timeline: timeline, epoch: head.epoch, start: head)
    }

    /// Adds to the head what was captured; refuses when another appender has taken over.
    ///
    /// Who brings back an older copy of the head under a running capture loses nothing: what this appender published goes on.
    package func publish(_ change: (inout Head) throws(AsofError) -> Void) throws(AsofError) -> Head {
        let known = published.withLock { $0 }
        do throws(AsofError) {
            let head = try publish(onto: known, change)
            published.withLock { $0 = head }
            return head
        } catch {
            guard error.code == .damaged else { throw error }
            throw AsofError(
                .damaged, error.message,
                hint: "put a copy of it back, however old, while this capture runs: it brings that up to date. What it captures meanwhile waits in its spool")
        }
    }

    private func publish(onto known: Head, _ change: (inout Head) throws(AsofError) -> Void) throws(AsofError) -> Head {
        try timeline.update { head throws(AsofError) in
            guard head.epoch > 0 else { throw AsofError(.damaged, "the head of timeline \(self.timeline.name) is missing") }
            // Below: somebody put an older copy back, perhaps one from before this capture began.
            guard head.epoch <= self.epoch else {
                throw AsofError(
                    .locked,
                    "timeline \(self.timeline.name) was taken over by \(head.holder?.description ?? "somebody else"); this capture is fenced",
                    hint: "what it had not archived is kept in its spool")
            }
            let bases = head.bases
            head = known
            head.bases = bases
            try change(&head)
        }
    }

    /// Gives the timeline back.
    package func release() throws(AsofError) {
        _ = try publish { head throws(AsofError) in head.holder = nil }
    }
}

extension Head {
    /// Adds a gap; one that is there already (a repeated publication) changes nothing.
    package mutating func declare(_ gap: Gap) {
        if !gaps.contains(gap) { gaps.append(gap) }
    }

    /// Appends a segment that follows the last one; one that is there already (a repeated publication) changes nothing.
    package mutating func append(_ segment: SealedObject) throws(AsofError) {
        if segments.last?.id == segment.id || segments.contains(where: { $0.id == segment.id }) { return }
        guard segment.first == last.next else {
            throw AsofError(
                .failure, "segment \(segment.first)-\(segment.last) does not follow transaction \(last)",
                hint: "two captures wrote to one timeline; the spool of this one is kept")
        }
        segments.append(segment)
        capturedUntil = max(capturedUntil, segment.lastTime)
    }
}
