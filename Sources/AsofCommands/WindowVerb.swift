internal import AsofCommandLine
internal import AsofCore
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

        var timeline: String
        var from: Point?
        var to: Point?
        /// Nanoseconds between the end of the window and now.
        var behind: Int64?
        var gaps: [Gap]
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
            gaps: head.gaps.map { Answer.Gap(after: .init($0.after), before: .init($0.before), reason: $0.reason) },
            comparing: head.unsettledSince != nil, capturing: head.holder?.description, segments: head.segments.count,
            bases: head.bases.count, storedBytes: head.storedBytes)
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
        if answer.comparing { Console.line("comparing the directory with the log; what came after \(to.time) is shown when that is done") }
        Console.line("captured  \(answer.capturing.map { "now, by \($0)" } ?? "not now")")
        Console.line("stored    \(HumanFormat.bytes(answer.storedBytes)) in \(answer.segments) segments and \(answer.bases) bases")
    }
}
