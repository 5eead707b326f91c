internal import AsofCapture
internal import AsofCommandLine
internal import AsofCore
internal import AsofRepository
internal import AsofSystem

/// `asof timeline list`: all timelines as a tree.
enum TimelineListVerb {
    private struct Row: Encodable {
        struct Parent: Encodable {
            var timeline: String
            var lsn: UInt64
            var time: String
        }

        var timeline: String
        var parent: Parent?
        var from: WindowVerb.Answer.Point?
        var to: WindowVerb.Answer.Point?
        /// Transactions of its own.
        var transactions: UInt64
        var bases: Int
        var storedBytes: UInt64
        var capturing: String?
        /// Why it cannot be read.
        var trouble: String?

        init(_ node: TimelineTree.Node) {
            timeline = node.name
            (transactions, bases, storedBytes) = (0, 0, 0)
            switch node.head {
            case .failure(let error): trouble = error.message
            case .success(let head):
                parent = head.parent.map { Parent(timeline: $0.timeline, lsn: $0.lsn.rawValue, time: $0.time.description) }
                from = head.first.map(WindowVerb.Answer.Point.init)
                if head.first != nil { to = .init(CutPoint(lsn: head.lastExact, time: head.exactUntil)) }
                transactions = head.last.rawValue - min(head.last.rawValue, head.parent?.lsn.rawValue ?? 0)
                (bases, storedBytes) = (head.bases.count, head.storedBytes)
                capturing = head.holder.flatMap { $0.isKnownDead ? nil : $0.description }
            }
        }

        var text: String {
            if let trouble { return "cannot be read: \(trouble)" }
            let leaves = parent.map { "leaves \($0.timeline) at lsn:\($0.lsn) (\($0.time)); " } ?? ""
            if parent != nil, transactions == 0 { return "\(leaves)nothing of its own yet\(capturing == nil ? "" : ", captured now")" }
            guard let from, let to else { return "\(leaves)no recoverable state yet" }
            let start = parent == nil ? "\(from.time) (lsn:\(from.lsn)) " : ""
            return "\(leaves)\(start)to \(to.time) (lsn:\(to.lsn)), \(HumanFormat.bytes(storedBytes))\(capturing == nil ? "" : ", captured now")"
        }
    }

    static func run(_ invocation: Invocation) throws(AsofError) {
        let session = try Session(invocation)
        let nodes = try TimelineTree(session.repository).nodes
        let rows = nodes.map(Row.init)
        if invocation.flag("json") { try Console.json(rows) } else { show(nodes, rows) }
        if let failure = failure(nodes) { throw failure }
    }

    /// Why not all could be read; nil: all could. Damage first: the others (a head that this user may not read, one of a later release) are whole.
    private static func failure(_ nodes: [TimelineTree.Node]) -> AsofError? {
        let failures = nodes.compactMap { node in if case .failure(let error) = node.head { error } else { nil } }
        guard var failure = failures.first(where: { $0.code == .damaged }) ?? failures.first else { return nil }
        if failure.code == .damaged { failure.hint = "restore their heads from a copy of the repository" }
        if failures.count > 1 { failure.message = "\(failures.count) timelines cannot be read: \(failure.message)" }
        return failure
    }

    private static func show(_ nodes: [TimelineTree.Node], _ rows: [Row]) {
        guard !nodes.isEmpty else { return Console.line("no timelines yet: `asof follow DIR` begins the first") }
        let names = nodes.map { branches($0.isLast) + $0.name }
        let width = names.map(\.count).max() ?? 0
        for (name, row) in zip(names, rows) {
            Console.line(name + String(repeating: " ", count: width - name.count + 2) + row.text)
        }
    }

    /// What leads to a name from those above it.
    private static func branches(_ isLast: [Bool]) -> String {
        guard isLast.count > 1, let own = isLast.last else { return "" }
        return isLast.dropFirst().dropLast().map { $0 ? "   " : "│  " }.joined() + (own ? "└─ " : "├─ ")
    }
}
