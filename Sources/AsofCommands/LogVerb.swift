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
        let reader = ObjectReader(repository: session.repository)
        let (head, _) = try session.headUpToNow()
        guard let first = head.first else { throw AsofError(.outsideWindow, "nothing was captured yet", hint: "`asof window`") }
        let now = SystemClock.now()
        let from = try cut(try invocation.when("from"), now, session, head, reader) ?? Cut(lsn: first.lsn, time: first.time)
        let to: Cut
        if let given = try cut(try invocation.when("to"), now, session, head, reader) { to = given } else {
            to = try session.timeline.resolve(.latest, head: head, reader: reader)
        }
        let wanted = invocation.value("path").map { $0.split(separator: "/").joined(separator: "/") }
        let per = try invocation.duration("per")
        var names = try PathNames(try View(from, of: session.timeline, head: head, reader: reader))
        var buckets: [Bucket] = []
        let log = TransactionReader(session.timeline, head: head, reader: reader)
        try log.each(from: from.lsn.next, to: to.lsn) { transaction throws(AsofError) in
            let before = names.path(of: transaction)
            names.apply(transaction)
            if let wanted, ![before, names.path(of: transaction)].contains(where: { $0 == wanted || $0.hasPrefix(wanted + "/") }) { return }
            if let per { return count(transaction, per: per, into: &buckets) }
            let line = Line(
                lsn: transaction.lsn.rawValue, time: transaction.time.description, verb: "\(transaction.verb)", path: before,
                bytes: transaction.payloadLength)
            if invocation.flag("json") { return try Console.json(line) }
            let size = line.bytes > 0 ? "  \(line.bytes) B" : ""
            Console.line("\(line.lsn)  \(line.time)  \(line.verb)  \(Printable.text(line.path))\(size)")
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

    private static func cut(
        _ when: When?, _ now: Instant, _ session: Session, _ head: Head, _ reader: ObjectReader
    ) throws(AsofError) -> Cut? {
        guard let when else { return nil }
        return try session.timeline.resolve(CutRequest(when.resolve(now: now)), head: head, reader: reader)
    }

    private static func count(_ transaction: Transaction, per: Int64, into buckets: inout [Bucket]) {
        let start = transaction.time.nanoseconds - transaction.time.nanoseconds % max(1, per)
        let name = Instant(nanoseconds: start).description
        if buckets.last?.from != name { buckets.append(Bucket(from: name)) }
        buckets[buckets.count - 1].transactions += 1
        buckets[buckets.count - 1].writes += transaction.verb == .write ? 1 : 0
        buckets[buckets.count - 1].bytes += transaction.payloadLength
    }
}

/// Paths of inodes, looked up in the view where a listing begins and kept up to date by the transactions that follow.
private struct PathNames {
    private var places: [InodeNumber: (parent: InodeNumber, name: Name)] = [:]

    /// Reads all names of the view.
    init(_ view: View) throws(AsofError) {
        var stack: [InodeNumber] = [.root]
        while let directory = stack.popLast() {
            for entry in try view.entries(of: directory) {
                places[entry.inode] = (directory, entry.name)
                if try view.attributes(of: entry.inode)?.isDirectory ?? false { stack.append(entry.inode) }
            }
        }
    }

    mutating func apply(_ transaction: Transaction) {
        for case .entry(let parent, let name, let target) in transaction.operations {
            if let target { places[target] = (parent, name) }
        }
    }

    /// The path that a transaction is about: of the name that it changes, else of the inode.
    func path(of transaction: Transaction) -> String {
        for case .entry(let parent, let name, _) in transaction.operations { return join(path(of: parent), name) }
        return transaction.operations.first.map { path(of: $0.inode) } ?? ""
    }

    private func path(of inode: InodeNumber) -> String {
        var parts: [String] = []
        var current = inode
        // A damaged log could have a ring of directories.
        for _ in 0..<4096 {
            guard current != .root else { break }
            guard let place = places[current] else {
                parts.append("<inode \(current)>")
                break
            }
            parts.append(place.name.description)
            current = place.parent
        }
        return parts.reversed().joined(separator: "/")
    }

    private func join(_ folder: String, _ name: Name) -> String { folder.isEmpty ? name.description : "\(folder)/\(name)" }
}
