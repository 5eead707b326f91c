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

        var timeline: String
        var from: Point?
        var to: Point?
        /// Nanoseconds between the end of the window and now.
        var behind: Int64?
        var gaps: [Gap]
        var fuzzy: Fuzzy
        /// A capture that started is comparing the directory with the log: the window goes on when that is done.
        var comparing: Bool
        var capturing: String?
        var segments: Int
        var bases: Int
        var storedBytes: UInt64
    }

    static func answer(_ head: Head, timeline: String, now: Instant) -> Answer {
        var end: CutPoint?
        if head.first != nil { end = CutPoint(lsn: head.lastExact, time: head.capturedUntil) }
        return Answer(
            timeline: timeline, from: head.first.map(Answer.Point.init), to: end.map(Answer.Point.init),
            behind: end.map { max(0, now.nanoseconds(since: $0.time)) },
            gaps: head.gaps.map { Answer.Gap(after: .init($0.after), before: .init($0.before), reason: $0.reason) }, fuzzy: fuzzy(head.fuzzyCuts),
            comparing: head.unsettledSince != nil, capturing: head.holder?.description, segments: head.segments.count,
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
        let answer = answer(head, timeline: session.timeline.name, now: SystemClock.now())
        if invocation.flag("json") { return try Console.json(answer) }
        guard let from = answer.from, let to = answer.to else {
            return Console.line("timeline \(answer.timeline): no recoverable state yet, the first scan is running")
        }
        Console.line("from      \(from.time)  (lsn:\(from.lsn))")
        Console.line("to        \(to.time)  (lsn:\(to.lsn)), \(HumanFormat.duration(nanoseconds: answer.behind ?? 0)) ago")
        for gap in answer.gaps { Console.line("gap       \(gap.after.time) to \(gap.before.time)  (lsn:\(gap.after.lsn) to lsn:\(gap.before.lsn)): \(gap.reason)") }
        if answer.gaps.isEmpty { Console.line("gaps      none") }
        show(answer.fuzzy)
        if answer.comparing { Console.line("comparing the directory with the log; what came after \(to.time) is shown when that is done") }
        Console.line("captured  \(answer.capturing.map { "now, by \($0)" } ?? "not now")")
        Console.line("stored    \(HumanFormat.bytes(answer.storedBytes)) in \(answer.segments) segments and \(answer.bases) bases")
    }

    /// How many, and the newest few.
    private static func show(_ fuzzy: Answer.Fuzzy) {
        guard fuzzy.count > 0 else { return Console.line("fuzzy     none") }
        Console.line("fuzzy     \(HumanFormat.count(fuzzy.count)) states may have torn files\(fuzzy.ranges.count > 3 ? "; the newest (--json lists more):" : ":")")
        for range in fuzzy.ranges.suffix(3) {
            let lsns = range.from.lsn == range.to.lsn ? "lsn:\(range.from.lsn)" : "lsn:\(range.from.lsn) to lsn:\(range.to.lsn), \(HumanFormat.count(range.count)) states"
            Console.line("fuzzy     \(range.from.time)\(range.from.lsn == range.to.lsn ? "" : " to \(range.to.time)")  (\(lsns))")
        }
    }
}
