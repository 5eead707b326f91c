package import AsofCore
internal import AsofStore

/// All timelines of a repository, each below the one that it goes on from.
package struct TimelineTree: Sendable {
    package struct Node: Sendable {
        package let name: String
        /// Why there is none to be read, or none that can be: for people.
        package let head: Result<Head, AsofError>
        /// How many stand above it.
        package let depth: Int
        /// For each of them, and for itself: whether it is the last one there.
        package let isLast: [Bool]
    }

    /// In the order of a drawing: those that go on from nothing first, by name; below each its children, by where they leave it.
    package private(set) var nodes: [Node] = []
    private let heads: [String: Result<Head, AsofError>]
    private let children: [String: [String]]
    private var drawn: Set<String> = []

    /// Lists all objects of timelines: for people, never on a view's way.
    package init(_ repository: Repository) throws(AsofError) {
        var heads: [String: Result<Head, AsofError>] = [:]
        for object in try repository.store.list(prefix: "timelines/") {
            let parts = object.name.split(separator: "/")
            guard parts.count >= 3, heads[String(parts[1])] == nil, ObjectName.isTimeline(String(parts[1])) else { continue }
            let timeline = try repository.timeline(String(parts[1]))
            do throws(AsofError) {
                // Something strange lies there, and no timeline.
                guard let head = try timeline.loadHead() else { continue }
                heads[timeline.name] = .success(head)
            } catch {
                guard error.code == .damaged || error.code == .failure else { throw error }
                heads[timeline.name] = .failure(error)
            }
        }
        var children: [String: [(name: String, lsn: LSN)]] = [:]
        for (name, head) in heads {
            if case .success(let head) = head, let parent = head.parent { children[parent.timeline, default: []].append((name, parent.lsn)) }
        }
        self.heads = heads
        self.children = children.mapValues { $0.sorted { ($0.lsn, $0.name) < ($1.lsn, $1.name) }.map(\.name) }
        draw()
    }

    private func parent(of name: String) -> String? { if case .success(let head) = heads[name] { head.parent?.timeline } else { nil } }

    private mutating func draw() {
        let names = heads.keys.sorted()
        let roots = names.filter { name in parent(of: name).map { heads[$0] == nil } ?? true }
        for root in roots { draw(root, [true]) }
        // What goes on from itself, by whatever way, hangs below no root.
        for name in names where !drawn.contains(name) { draw(name, [true]) }
    }

    /// Depth first, without recursion: a repository may be hostile.
    private mutating func draw(_ root: String, _ isLast: [Bool]) {
        var stack = [(name: root, isLast: isLast)]
        while let (name, isLast) = stack.popLast() {
            guard let head = heads[name], drawn.insert(name).inserted else { continue }
            nodes.append(Node(name: name, head: checked(name, head), depth: isLast.count - 1, isLast: isLast))
            let below = children[name] ?? []
            for (index, child) in below.enumerated().reversed() { stack.append((child, isLast + [index == below.count - 1])) }
        }
    }

    /// The head, unless what it goes on from is not there or goes on from it.
    private func checked(_ name: String, _ head: Result<Head, AsofError>) -> Result<Head, AsofError> {
        guard case .success(let found) = head, let parent = found.parent else { return head }
        guard let above = heads[parent.timeline] else {
            return .failure(AsofError(.damaged, "timeline \(name) goes on from lsn:\(parent.lsn) of timeline \(parent.timeline), which is not there"))
        }
        if case .success(let above) = above, above.last < parent.lsn {
            return .failure(AsofError(.damaged, "timeline \(name) goes on from lsn:\(parent.lsn) of timeline \(parent.timeline), which ends at lsn:\(above.last)"))
        }
        var (seen, next): (Set<String>, String?) = ([name], parent.timeline)
        while let current = next {
            guard seen.insert(current).inserted else {
                return .failure(AsofError(.damaged, "timeline \(name) goes on from timeline \(parent.timeline), which goes on from it in turn"))
            }
            next = self.parent(of: current)
        }
        return head
    }
}
