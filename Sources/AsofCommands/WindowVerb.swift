internal import AsofCapture
internal import AsofCommandLine
internal import AsofCore
internal import AsofFormat
internal import AsofRepository
internal import AsofSystem

/// `asof window`: from when to when, what is missing, how far behind.
enum WindowVerb {
    struct Answer: Encodable {
        struct Point: Encodable {
            var time: String
            var lsn: UInt64
            init(_ point: CutPoint) { time = point.time.description; lsn = point.lsn.rawValue }
        }

        struct Gap: Encodable {
            var after: Point
            var before: Point
            var reason: String
        }

        /// States whose files may be torn.
        struct Fuzzy: Encodable {
            struct Range: Encodable {
                var from: Point
                var to: Point
                /// Fewer than lie between `from` and `to` where the head joined ranges.
                var count: UInt64
            }

            var count: UInt64
            /// Oldest first, the newest 256 at most.
            var ranges: [Range]
        }

        /// Where a timeline leaves another one.
        struct Parent: Encodable {
            var timeline: String
            var time: String
            var lsn: UInt64
        }

        var timeline: String
        var parent: Parent?
        var from: Point?
        var to: Point?
        /// Nanoseconds between the end of the window and now; negative: the end lies ahead of this host's clock.
        var behind: Int64?
        var gaps: [Gap]
        var fuzzy: Fuzzy
        /// A capture that started is comparing the directory with the log: the window goes on when that is done.
        var comparing: Bool
        var capturing: String?
        /// A segment that is archived and that the timeline's head does not know, though nobody captures: the head is an older copy.
        var archivedBehind: String?
        /// Who held the timeline last and is known to be dead: it gave nothing back.
        var endedSilently: String?
        var segments: Int
        var bases: Int
        var storedBytes: UInt64
    }

    /// `inherited`: of the timelines that it goes on from.
    static func answer(_ head: Head, _ inherited: Inheritance, timeline: String, behind: String? = nil, now: Instant) -> Answer {
        var end: CutPoint?
        if head.first != nil { end = CutPoint(lsn: head.lastExact, time: head.exactUntil) }
        let isDead = head.holder?.isKnownDead ?? false
        var fuzzyCuts = inherited.fuzzyCuts
        fuzzyCuts.append(head.fuzzyCuts, keeping: .max)
        return Answer(
            timeline: timeline, parent: head.parent.map { Answer.Parent(timeline: $0.timeline, time: $0.time.description, lsn: $0.lsn.rawValue) }, from: head.first.map(Answer.Point.init), to: end.map(Answer.Point.init),
            behind: end.map { now.nanoseconds(since: $0.time) },
            gaps: (inherited.gaps + head.gaps).map { Answer.Gap(after: .init($0.after), before: .init($0.before), reason: $0.reason) }, fuzzy: fuzzy(fuzzyCuts),
            comparing: head.unsettledSince != nil, capturing: isDead ? nil : head.holder?.description, archivedBehind: behind,
            endedSilently: isDead ? head.holder?.description : nil, segments: head.segments.count,
            bases: head.bases.count, storedBytes: head.storedBytes)
    }

    private static func fuzzy(_ cuts: FuzzyCuts) -> Answer.Fuzzy {
        Answer.Fuzzy(
            count: cuts.count,
            ranges: cuts.ranges.suffix(256).map {
                Answer.Fuzzy.Range(
                    from: .init(CutPoint(lsn: $0.first, time: $0.firstTime)), to: .init(CutPoint(lsn: $0.last, time: $0.lastTime)), count: $0.count)
            })
    }

    static func run(_ invocation: Invocation) throws(AsofError) {
        let session = try Session(invocation)
        let head = try session.timeline.head()
        let isCaptured = head.holder.map { !$0.isKnownDead } ?? false
        let answer = answer(
            head, try Inheritance(session.timeline, head: head), timeline: session.timeline.name, behind: isCaptured ? nil : try session.timeline.nameBehind(head),
            now: SystemClock.now())
        if invocation.flag("json") { return try Console.json(answer) }
        guard let from = answer.from, let to = answer.to else {
            Console.line("timeline \(answer.timeline): no recoverable state yet: \(answer.capturing == nil ? "its first scan did not come to an end" : "the first scan is running")")
            return showCapture(answer)
        }
        Console.line("from      \(from.time)  (lsn:\(from.lsn))")
        let behind = answer.behind ?? 0
        // Clocks of two hosts differ by a little.
        let age = behind < -1_000_000_000 ? "\(HumanFormat.duration(nanoseconds: -behind)) ahead of this host's clock" : "\(HumanFormat.duration(nanoseconds: max(0, behind))) ago"
        Console.line("to        \(to.time)  (lsn:\(to.lsn)), \(age)")
        if let parent = answer.parent { Console.line("leaves    \(parent.timeline) at \(parent.time)  (lsn:\(parent.lsn)); what is older is shown from there") }
        for gap in answer.gaps { Console.line("gap       \(gap.after.time) to \(gap.before.time)  (lsn:\(gap.after.lsn) to lsn:\(gap.before.lsn)): \(gap.reason)") }
        if answer.gaps.isEmpty { Console.line("gaps      none") }
        show(answer.fuzzy)
        if answer.comparing {
            let end = answer.capturing == nil ? "did not come to an end" : "is running"
            Console.line("compared  the comparison of the directory with the log \(end): what came after \(to.time) is shown when one is done")
        }
        if let name = answer.archivedBehind {
            Console.line("archived  \(name) lies behind what is shown, and the timeline's head does not know of it: is that an older copy? The next capture takes it up")
        }
        showCapture(answer)
        let own = answer.parent == nil ? "" : ", without its parent's"
        Console.line("stored    \(HumanFormat.bytes(answer.storedBytes)) in \(answer.segments) segments and \(answer.bases) bases\(own)")
    }

    static func states(_ count: UInt64) -> String { count == 1 ? "1 state" : "\(HumanFormat.count(count)) states" }

    private static func showCapture(_ answer: Answer) {
        let last = answer.endedSilently.map { "not now; \(endedSilently($0))" } ?? "not now"
        Console.line("captured  \(answer.capturing.map { "now, by \($0)" } ?? last)")
    }

    static func endedSilently(_ holder: String) -> String { "the last capture, \(holder), has ended without saying so" }

    /// How many, and the newest few.
    private static func show(_ fuzzy: Answer.Fuzzy) {
        guard fuzzy.count > 0 else { return Console.line("fuzzy     none") }
        Console.line("fuzzy     \(states(fuzzy.count)) may have torn files\(fuzzy.ranges.count > 3 ? "; the newest (--json lists more):" : ":")")
        for range in fuzzy.ranges.suffix(3) {
            let lsns = range.from.lsn == range.to.lsn ? "lsn:\(range.from.lsn)" : "lsn:\(range.from.lsn) to lsn:\(range.to.lsn), \(states(range.count))"
            Console.line("fuzzy     \(range.from.time)\(range.from.lsn == range.to.lsn ? "" : " to \(range.to.time)")  (\(lsns))")
        }
    }
}
