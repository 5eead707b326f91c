internal import AsofCore
internal import AsofSystem
internal import AsofWeaviate
internal import Glibc

/// The node's name as a mounted data directory tells it.
enum RecordedNodeName {
    /// Nil: it does not say, or names several nodes without saying which of them this was.
    static func find(in directory: String) -> String? {
        var names = (try? SystemCall.readAll(path: "\(directory)/raft/raft.db", limit: 256 << 20)).map(NodeName.inDatabase) ?? []
        if let snapshots = try? DirectoryReader("\(directory)/raft/snapshots") {
            while let entry = try? snapshots.next() {
                guard let bytes = try? SystemCall.readAll(path: "\(directory)/raft/snapshots/\(entry.name)/meta.json", limit: 1 << 20) else { continue }
                names.formUnion(NodeName.inSnapshotDescription(bytes))
            }
        }
        return names.count == 1 ? names.first : nil
    }

    static var ofThisHost: String {
        var buffer = [CChar](repeating: 0, count: 256)
        _ = gethostname(&buffer, buffer.count - 1)
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
