internal import AsofCommandLine
internal import AsofCore
internal import AsofFormat
internal import AsofRepository
internal import AsofSystem

/// `asof backup list`: the bases; every instant between and behind them can be mounted all the same.
enum BackupListVerb {
    private struct Row: Encodable {
        var id: String
        var type: String
        var lsn: UInt64
        var bytes: UInt64
        var segmentsBehind: Int
    }

    static func run(_ invocation: Invocation) throws(AsofError) {
        let session = try Session(invocation)
        let head = try session.timeline.head()
        let rows = head.bases.map { base in
            Row(
                id: base.lastTime.description, type: "base", lsn: base.last.rawValue, bytes: base.size,
                segmentsBehind: head.segments.filter { $0.first > base.last }.count)
        }
        if invocation.flag("json") { return try Console.json(rows) }
        guard !rows.isEmpty else {
            return Console.line("no bases yet; every instant of the window can be mounted all the same (`asof window`)")
        }
        var table = Table([
            Table.Column("ID"), Table.Column("TYPE"), Table.Column("LSN", .right), Table.Column("INDEX", .right),
            Table.Column("SEGMENTS SINCE", .right),
        ])
        for row in rows {
            table.append([row.id, row.type, HumanFormat.count(row.lsn), HumanFormat.bytes(row.bytes), HumanFormat.count(row.segmentsBehind)])
        }
        Console.write(table.render())
    }
}
