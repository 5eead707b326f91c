package import AsofCore

/// What a file of the data directory is, told from its name and the directories it is in.
///
/// The sections are those of the reference on the data directory. A kind says nothing of one file's health: a name that no
/// release is known to write is `unknown`, never wrong.
package struct DataFileKind: Hashable, Sendable, CustomStringConvertible {
    /// For messages: "LSM log".
    package let name: String
    package let mode: WriteMode

    init(_ name: String, _ mode: WriteMode) {
        self.name = name
        self.mode = mode
    }

    package var description: String { name }

    /// The kind of the file with these components below the root of the data directory. Asked once for each new name.
    package static func of(path: [Name]) -> DataFileKind { DataFileTable.shared.kind(of: path) }
}

extension DataFileKind {
    package static let unknown = DataFileKind("unknown file", .unknown)

    // LSM buckets

    /// Appended through a buffer of 4 KiB, so it may end inside a record (§2.1, §2.2). The newest is appended to again after a restart (§2.12).
    package static let log = DataFileKind("LSM log", .appendOnly)
    /// Renamed to its name when whole and synced (§2.3). A compaction reuses the name of its right input, a cleanup renames over it (§2.4, §2.5).
    package static let segment = DataFileKind("LSM segment", .writtenOnce)
    /// A dummy header first, the real one over it at the end (§2.3, §2.4).
    package static let segmentTemporary = DataFileKind("unfinished LSM segment", .growingTemporary)
    /// Filters and counts: written directly at a flush or a load, by a rename at a compaction (§2.1); anew when damaged (§2.12).
    package static let derived = DataFileKind("LSM filter or count", .writtenOnce)
    package static let derivedTemporary = DataFileKind("unfinished LSM filter or count", .growingTemporary)  // §1.5
    /// Out of the live set, perhaps still read (§1.5). Older releases put no counter into the name.
    package static let retired = DataFileKind("retired LSM file", .writtenOnce)
    /// Halves of a compaction in older releases; removed at a start (§1.5).
    package static let scratch = DataFileKind("LSM scratch file", .growingTemporary)
    /// State of a reindex: its existence is most of its content (§1.6).
    package static let sentinel = DataFileKind("reindex sentinel", .writtenOnce)

    // Vector indexes

    /// Appended through a buffer of 32 KiB (§2.7). A torn end is cut off at a load (§2.12), and releases before 1.39 then go on appending to the same file.
    package static let graphLog = DataFileKind("HNSW log", .appendOnly)
    /// Older releases write it under its own name (§1.7); a torn end is cut off at a load (§2.12).
    package static let condensedLog = DataFileKind("condensed HNSW log", .appendOnly)
    package static let sortedLog = DataFileKind("sorted HNSW log", .writtenOnce)  // §2.7
    /// In the log's directory; in a directory of its own, with its checkpoints beside it, before 1.39 (§1.3, §1.7).
    package static let graphSnapshot = DataFileKind("HNSW snapshot", .writtenOnce)
    /// Outputs, scratch bodies and half-migrated snapshots: deleted at a load (§1.7).
    package static let graphTemporary = DataFileKind("unfinished HNSW file", .growingTemporary)
    package static let graphMigration = DataFileKind("HNSW migration state", .inPlace)  // §1.7
    /// The count of records in its header is patched when it is sealed; a torn end is cut off (§2.12, §3.10).
    package static let queueChunk = DataFileKind("queue chunk", .appendWithPatchedHeader)
    /// The mark that a chunk is done, or a chunk put aside (§3.10).
    package static let queueMark = DataFileKind("processed or corrupt queue chunk", .writtenOnce)

    // Shards

    /// Eight bytes at offset 0, rewritten for each new id (§2.1, §3.9).
    package static let counter = DataFileKind("document counter", .inPlace)
    /// Two bytes, written once (§1.3): reading them again costs less than trusting them.
    package static let shardVersion = DataFileKind("shard version", .inPlace)
    package static let propertyLengths = DataFileKind("property lengths", .writtenOnce)  // by a rename for each request, §2.2
    package static let hashTree = DataFileKind("hash tree", .writtenOnce)  // by a rename, §2.1; deleted when loaded
    package static let changeLog = DataFileKind("change log", .appendOnly)  // §1.3, §3.9
    /// Written, never renamed, in spite of its name (§1.3).
    package static let usage = DataFileKind("usage cache", .inPlace)

    // Databases in one file, raft

    /// Pages and then one of two metas, by pwrite; grows by ftruncate (§2.8).
    package static let bolt = DataFileKind("bolt database", .inPlace)
    package static let boltCopy = DataFileKind("copy of a bolt database", .writtenOnce)  // §1.1
    package static let raftSnapshot = DataFileKind("raft snapshot", .writtenOnce)  // its directory is renamed, §2.1
    package static let raftSnapshotTemporary = DataFileKind("unfinished raft snapshot", .growingTemporary)  // §1.2
    package static let users = DataFileKind("user store", .writtenOnce)  // created empty, then by renames, §1.2
    /// By a rename (§1.2); small, and nothing is lost by not relying on that.
    package static let policy = DataFileKind("access policy", .inPlace)

    // The root

    package static let flag = DataFileKind("migration flag", .writtenOnce)  // §1.1
    package static let probe = DataFileKind("probe", .writtenOnce)  // created and removed at once, §1.1, §1.2
    package static let backupDescription = DataFileKind("backup description", .inPlace)  // rewritten as the backup goes on, §1.1, §6.3
    package static let backupChunk = DataFileKind("backup chunk", .writtenOnce)  // §1.1, §6.3
    /// Unpacked under their final names in a directory that is renamed at the end (§1.1, §6.4).
    package static let restoreStaging = DataFileKind("file of a running restore", .growingTemporary)
    /// Everything else that is to be renamed, such as `proplengths.tmp` and `temp-*.tmp` (§1.2, §1.3). A replica that moves here comes as
    /// `<any file>.tmp`, of full size from the start and filled in any order: only the check after its rename makes it exact.
    package static let temporary = DataFileKind("temporary file", .growingTemporary)
}
