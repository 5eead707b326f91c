internal import AsofCommandLine
internal import AsofCore
internal import AsofRepository
internal import AsofSystem
internal import AsofView

/// `asof log`: the transactions of an interval, one a line, or counted by intervals of time.
enum LogVerb {
    private struct Line: Encodable {
        var lsn: UInt64
        var time: String
        var verb: String
        var path: String
        /// Of a rename, exchange or link: the other name; of a symbolic link: what it says.
        var to: String?
        /// Of a comparison or a tick: everything that it changed.
        var paths: [String]?
        var bytes: Int
    }

    private struct Bucket: Encodable {
        var from: String
        var transactions = 0
        var writes = 0
        var bytes = 0
    }

    static func run(_ invocation: Invocation) throws(AsofError) {
        let session = try Session(invocation)
        let reader = ObjectReader(repository: session.repository, onBrokenBase: Console.note(brokenBase:))
        let (head, note) = try session.headUpToNow()
        if let note { Console.note(note) }
        guard let first = head.first else { throw AsofError(.outsideWindow, "nothing was captured yet", hint: "`asof window`") }
        let now = SystemClock.now()
        let from = try begin(try invocation.when("from"), first, now, session, head, reader)
        let to: Cut
        if let given = try cut(try invocation.when("to"), now, session, head, reader) { to = given } else {
            to = try session.timeline.resolve(.latest, head: head, reader: reader)
        }
        let wanted = invocation.value("path").flatMap(LogPath.init)
        let per = try invocation.duration("per")
        var names = try LogNames(try View(from, of: session.timeline, head: head, reader: reader))
        var buckets: [Bucket] = []
        var count = 0
        let log = TransactionReader(session.timeline, head: head, reader: reader)
        try log.each(from: from.lsn.next, to: to.lsn) { transaction throws(AsofError) in
            let subject = names.take(transaction)
            if let wanted, !subject.concerns(wanted) { return }
            count += 1
            if let per { return add(transaction, per: per, into: &buckets) }
            let line = Line(
                lsn: transaction.lsn.rawValue, time: transaction.time.description, verb: "\(transaction.verb)", path: subject.path,
                to: subject.target, paths: transaction.verb.isCall ? nil : subject.paths, bytes: transaction.payloadLength)
            if invocation.flag("json") { try Console.json(line) } else { Console.line(text(line, isVerbose: invocation.flag("verbose"))) }
            try StandardOutput.check()
        }
        if let wanted, count == 0, !invocation.flag("quiet") {
            Console.note("nothing of \(Printable.quoted(wanted.text)) changed between lsn:\(from.lsn) and lsn:\(to.lsn); paths begin at the root of what is captured")
        }
        guard per != nil else { return }
        if invocation.flag("json") { return try Console.json(buckets) }
        var table = Table([
            Table.Column("FROM"), Table.Column("TRANSACTIONS", .right), Table.Column("WRITES", .right), Table.Column("WRITTEN", .right),
        ])
        for bucket in buckets {
            table.append([
                bucket.from, HumanFormat.count(bucket.transactions), HumanFormat.count(bucket.writes),
                HumanFormat.bytes(UInt64(max(0, bucket.bytes))),
            ])
        }
        Console.write(table.render())
    }

    private static func text(_ line: Line, isVerbose: Bool) -> String {
        var what = Printable.text(line.path)
        if let to = line.to { what += (line.verb == "exchange" ? " ↔ " : " → ") + Printable.text(to) }
        if let paths = line.paths {
            let shown = isVerbose ? paths[...] : paths.prefix(3)
            what = shown.map { Printable.text($0) }.joined(separator: ", ")
            if shown.count < paths.count { what += " and \(HumanFormat.count(paths.count - shown.count)) more" }
        }
        let size = line.bytes > 0 ? "  \(line.bytes) B" : ""
        return "\(line.lsn)  \(line.time)  \(line.verb)  \(what)\(size)"
    }

    /// Behind which cut the listing begins: at the earliest behind the first state that there is.
    private static func begin(
        _ when: When?, _ first: CutPoint, _ now: Instant, _ session: Session, _ head: Head, _ reader: ObjectReader
    ) throws(AsofError) -> Cut {
        let beginning = Cut(lsn: first.lsn, time: first.time)
        switch when?.resolve(now: now) {
        case .instant(let instant) where instant < first.time: return beginning
        case .lsn(let lsn) where lsn < first.lsn: return beginning
        default: return try cut(when, now, session, head, reader) ?? beginning
        }
    }

    private static func cut(
        _ when: When?, _ now: Instant, _ session: Session, _ head: Head, _ reader: ObjectReader
    ) throws(AsofError) -> Cut? {
        guard let when else { return nil }
        return try session.timeline.resolve(CutRequest(when.resolve(now: now)), head: head, reader: reader)
    }

    private static func add(_ transaction: Transaction, per: Int64, into buckets: inout [Bucket]) {
        let start = transaction.time.nanoseconds - transaction.time.nanoseconds % max(1, per)
        let name = Instant(nanoseconds: start).description
        if buckets.last?.from != name { buckets.append(Bucket(from: name)) }
        buckets[buckets.count - 1].transactions += 1
        buckets[buckets.count - 1].writes += transaction.verb == .write ? 1 : 0
        buckets[buckets.count - 1].bytes += transaction.payloadLength
    }
}
