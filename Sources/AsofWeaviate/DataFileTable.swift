import AsofCore

/// The names of the data directory, as patterns with their kinds. The first that fits decides.
///
/// Rows are reached by the last byte of the name, so that a look-up tries a handful of them.
struct DataFileTable: Sendable {
    static let shared = DataFileTable(rows)

    private static let rows: [(DataFileKind, [String])] = [
        (.restoreStaging, ["/.backup.tmp/**"]),

        // Names on their way in or out, before the names that they end with or stand for.
        (.retired, ["segment-*.deleteme"]),
        (.segmentTemporary, ["segment-*.db.tmp"]),
        (.derivedTemporary, ["segment-*.bloom.tmp", "segment-*.cna.tmp", "segment-*.metadata.tmp"]),
        (.graphTemporary, ["*.hnsw.commitlog.d/*.tmp", "*.hnsw.commitlog.d/*.migrating", "*.hnsw.snapshot.d/*.tmp"]),
        (.usage, ["usage.json.tmp"]),
        (.raftSnapshotTemporary, ["snapshots/*.tmp/meta.json", "snapshots/*.tmp/state.bin"]),
        (.temporary, ["*.tmp", "migration*.temp"]),
        (.scratch, ["*.scratch.d/*"]),

        // LSM buckets
        (.log, ["segment-#.wal"]),
        (.segment, ["segment-#.db", "segment-#.l#.s#.db"]),
        (.derived, ["segment-#*.bloom", "segment-#*.cna", "segment-#*.metadata"]),
        (.sentinel, [".migrations/*/*.mig", ".migrations/*/progress.mig.#"]),

        // Vector indexes
        (.graphLog, ["*.hnsw.commitlog.d/#"]),
        (.condensedLog, ["*.hnsw.commitlog.d/#.condensed"]),
        (.sortedLog, ["*.hnsw.commitlog.d/#.sorted", "*.hnsw.commitlog.d/#_#.sorted"]),
        (.graphSnapshot, ["*.hnsw.commitlog.d/#.snapshot", "*.hnsw.commitlog.d/#_#.snapshot"]),
        (.graphSnapshot, ["*.hnsw.snapshot.d/#.snapshot", "*.hnsw.snapshot.d/#.snapshot.checkpoints"]),
        (.graphMigration, [".compact.migrated", ".compact.migration.state"]),
        (.queueChunk, ["*.queue.d/chunk-#.bin"]),
        (.queueMark, ["*.queue.d/chunk-#.bin.processed", "*.queue.d/chunk-#.bin.corrupt"]),

        // Shards
        (.counter, ["indexcount"]),
        (.policy, ["rbac/version", "rbac/policy.csv"]),
        (.shardVersion, ["version"]),
        (.propertyLengths, ["proplengths"]),
        (.hashTree, ["hashtree-*.ht"]),
        (.changeLog, ["changelog/*.log"]),

        // Databases in one file, raft
        (.bolt, ["raft.db", "schema.db", "modules.db", "classifications.db", "index.db", "tx.db"]),
        (.bolt, ["meta.db", "meta_*.db", "*.bolt"]),
        (.boltCopy, ["schema.db_v#.bak"]),
        (.raftSnapshot, ["snapshots/*/meta.json", "snapshots/*/state.bin"]),
        (.users, ["users.json"]),

        // The root
        (.flag, ["/migration*.flag", "/migration*.hierarchy", "/migration*.state"]),
        (.probe, ["snapshots/permTest", ".hardlink-probe-*"]),
        (.backupDescription, ["backup_config.json", "restore_config.json", "backup.json"]),
        (.backupChunk, ["chunk-#"]),
    ]

    private let rowsByLastByte: [[(pattern: PathPattern, kind: DataFileKind)]]

    private init(_ rows: [(DataFileKind, [String])]) {
        var byLastByte = [[(pattern: PathPattern, kind: DataFileKind)]](repeating: [], count: 256)
        for (kind, patterns) in rows {
            for pattern in patterns.map(PathPattern.init) {
                for byte in byLastByte.indices where pattern.lastByte == nil || pattern.lastByte == UInt8(byte) {
                    byLastByte[byte].append((pattern, kind))
                }
            }
        }
        rowsByLastByte = byLastByte
    }

    func kind(of path: [Name]) -> DataFileKind {
        guard let last = path.last?.bytes.last else { return .unknown }
        return rowsByLastByte[Int(last)].first { $0.pattern.matches(path) }?.kind ?? .unknown
    }
}
