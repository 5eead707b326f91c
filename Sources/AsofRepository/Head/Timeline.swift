package import AsofCore
internal import AsofFormat
internal import AsofStore

/// One history in a repository: reads its head, and changes it by compare-and-swap.
package final class Timeline: Sendable {
    package let name: String
    package let repository: Repository

    init(name: String, repository: Repository) {
        self.name = name
        self.repository = repository
    }

    private var headName: String { ObjectName.head(name) }
    private var store: any ObjectStore { repository.store }

    /// The head; nil where nothing was ever captured.
    package func loadHead() throws(AsofError) -> Head? {
        guard let object = try store.get(headName) else {
            try refuseLostHead()
            return nil
        }
        return try decode(object)
    }

    /// The head of a timeline that has something to show.
    package func head() throws(AsofError) -> Head {
        guard let head = try loadHead() else {
            throw AsofError(
                .noRepository, "nothing was captured in \(store.description) on timeline \(name) yet",
                hint: "`asof timeline list` shows the timelines that there are; `asof follow DIR` captures a directory")
        }
        return head
    }

    /// Changes the head; `change` runs again on the newer one when somebody was faster. Returns the head as stored.
    package func update(_ change: (inout Head) throws(AsofError) -> Void) throws(AsofError) -> Head {
        while true {
            let current = try store.get(headName)
            var head = try current.map { object throws(AsofError) in try decode(object) } ?? Head()
            try change(&head)
            let bytes = try head.encode(of: name, key: repository.headKey)
            if let current {
                if try store.put(headName, bytes, ifUnchanged: current.version) != nil { return head }
            } else if try store.putIfAbsent(headName, bytes) {
                return head
            }
        }
    }

    /// Makes the head; false: there is one already.
    func create(_ head: Head) throws(AsofError) -> Bool {
        try store.putIfAbsent(headName, try head.encode(of: name, key: repository.headKey))
    }

    /// Segments are written before the head is, but never before the first one, which the first appender makes.
    private func refuseLostHead() throws(AsofError) {
        guard let segment = try store.list(prefix: "timelines/\(name)/segments/").first else { return }
        throw AsofError(
            .damaged, "\(store.description)/\(headName) is missing, but there is \(segment.name)",
            hint: "put it back from a copy of the repository, the newest that there is: the next capture takes up what is archived behind it")
    }

    private func decode(_ object: StoredObject) throws(AsofError) -> Head {
        try Head(decoding: object.bytes, of: name, key: repository.headKey, name: "\(store.description)/\(headName)")
    }
}
