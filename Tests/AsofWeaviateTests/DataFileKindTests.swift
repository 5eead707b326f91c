import AsofCore
import AsofWeaviate
import Testing

@Suite("Kinds of files")
struct DataFileKindTests {
    private static func path(_ text: String) -> [Name] { text.split(separator: "/").compactMap { Name(Array($0.utf8)) } }

    /// Paths as releases write them; the sections are the reference's.
    static let rows: [(path: String, kind: DataFileKind, mode: WriteMode)] = [
        // §1.1 the root
        ("schema.db", .bolt, .inPlace),
        ("schema.db_v1.bak", .boltCopy, .writtenOnce),
        ("modules.db", .bolt, .inPlace),
        ("classifications.db", .bolt, .inPlace),
        ("index.db", .bolt, .inPlace),
        ("tx.db", .bolt, .inPlace),
        ("migration1.22.fs.hierarchy", .flag, .writtenOnce),
        ("migration1.19.filter2search.skip.flag", .flag, .writtenOnce),
        ("migration1.19.filter2search.state", .flag, .writtenOnce),
        ("migration1.19.filter2search.state.temp", .temporary, .growingTemporary),
        (".hardlink-probe-1234", .probe, .writtenOnce),
        (".hardlink-probe-1234.link", .probe, .writtenOnce),
        (".backup.tmp/Article/s1/lsm/objects/segment-1795402883388762976.db", .restoreStaging, .growingTemporary),
        (".backup.tmp/Article/s1/indexcount", .restoreStaging, .growingTemporary),
        ("backups/monday/backup_config.json", .backupDescription, .inPlace),
        ("backups/monday/restore_config.json", .backupDescription, .inPlace),
        ("backups/monday/node1/backup.json", .backupDescription, .inPlace),
        ("backups/monday/node1/Article/chunk-12", .backupChunk, .writtenOnce),
        // §1.1 what lies in a farm of hard links, or on its way out, is what it was
        (".backup-staging-a-0f/article/s1/lsm/objects/segment-1795402883388762976.db", .segment, .writtenOnce),
        ("article/.snapshots/.snapshot-x/s1/main.hnsw.commitlog.d/1795402883.sorted", .sortedLog, .writtenOnce),
        ("note/tenant1.1795402883388762976.0a1b2c3d.deleteme/lsm/objects/segment-1795402883388762976.wal", .log, .appendOnly),
        ("__DELETE_ME_AFTER_BACKUP__note/tenant1/indexcount", .counter, .inPlace),
        // §1.2 raft
        ("raft/raft.db", .bolt, .inPlace),
        ("raft/snapshots/2-41-1795402883388/meta.json", .raftSnapshot, .writtenOnce),
        ("raft/snapshots/2-41-1795402883388/state.bin", .raftSnapshot, .writtenOnce),
        ("raft/snapshots/2-41-1795402883388.tmp/meta.json", .raftSnapshotTemporary, .growingTemporary),
        ("raft/snapshots/2-41-1795402883388.tmp/state.bin", .raftSnapshotTemporary, .growingTemporary),
        ("raft/snapshots/permTest", .probe, .writtenOnce),
        ("raft/db_users/users.json", .users, .writtenOnce),
        ("raft/db_users/temp-123456.tmp", .temporary, .growingTemporary),
        ("raft/rbac/policy.csv", .policy, .inPlace),
        ("raft/rbac/version", .policy, .inPlace),
        ("raft/rbac/policy-temp-99.tmp", .temporary, .growingTemporary),
        // §1.3 shards
        ("article/NJ9ftANLoPYC/indexcount", .counter, .inPlace),
        ("article/NJ9ftANLoPYC/version", .shardVersion, .inPlace),
        ("article/NJ9ftANLoPYC/proplengths", .propertyLengths, .writtenOnce),
        ("article/NJ9ftANLoPYC/proplengths.tmp", .temporary, .growingTemporary),
        ("article/NJ9ftANLoPYC/index.db", .bolt, .inPlace),
        ("article/NJ9ftANLoPYC/meta.db", .bolt, .inPlace),
        ("article/NJ9ftANLoPYC/meta_title.db", .bolt, .inPlace),
        ("article/NJ9ftANLoPYC/hashtree_uuid/hashtree-18c3f0a1b2c3d4e5.ht", .hashTree, .writtenOnce),
        ("article/NJ9ftANLoPYC/hashtree_uuid/hashtree-18c3f0a1b2c3d4e5.ht.tmp", .temporary, .growingTemporary),
        ("article/NJ9ftANLoPYC/changelog/7c1d.log", .changeLog, .appendOnly),
        ("article/NJ9ftANLoPYC/usage.json.tmp", .usage, .inPlace),
        // §1.5 LSM buckets, with and without level and strategy in the name
        ("article/s1/lsm/objects/segment-1795402883388762976.wal", .log, .appendOnly),
        ("article/s1/lsm/objects/segment-1795402883388762976.db", .segment, .writtenOnce),
        ("article/s1/lsm/objects/segment-1795402883388762976.l12.s0.db", .segment, .writtenOnce),
        ("article/s1/lsm/objects/segment-1795402883388762976.db.tmp", .segmentTemporary, .growingTemporary),
        ("article/s1/lsm/objects/segment-1795402883388762976.l0.s0.db.tmp", .segmentTemporary, .growingTemporary),
        ("article/s1/lsm/objects/segment-1795402883388762976_1795402883388762977.l1.s0.db.tmp", .segmentTemporary, .growingTemporary),
        ("article/s1/lsm/objects/segment-1795402883388762976.bloom", .derived, .writtenOnce),
        ("article/s1/lsm/objects/segment-1795402883388762976.l0.s0.secondary.0.bloom", .derived, .writtenOnce),
        ("article/s1/lsm/objects/segment-1795402883388762976.l0.s0.cna", .derived, .writtenOnce),
        ("article/s1/lsm/objects/segment-1795402883388762976.l0.s0.metadata", .derived, .writtenOnce),
        ("article/s1/lsm/objects/segment-1795402883388762976_1795402883388762977.l1.s0.bloom.tmp", .derivedTemporary, .growingTemporary),
        ("article/s1/lsm/objects/segment-1795402883388762976_1795402883388762977.l1.s0.cna.tmp", .derivedTemporary, .growingTemporary),
        ("article/s1/lsm/objects/segment-1795402883388762976.l1.s0.metadata.tmp", .derivedTemporary, .growingTemporary),
        ("article/s1/lsm/objects/segment-1795402883388762976.l0.s0.db.1795402883388.deleteme", .retired, .writtenOnce),
        ("article/s1/lsm/objects/segment-1795402883388762976.cna.deleteme", .retired, .writtenOnce),
        ("article/s1/lsm/objects/cleanup.db.bolt", .bolt, .inPlace),
        ("article/s1/lsm/objects/segment_edit_ops.db.bolt", .bolt, .inPlace),
        ("article/s1/lsm/objects/segment-1795402883388762976.dbcompaction.scratch.d/primary", .scratch, .growingTemporary),
        // §1.6 reindex
        ("article/s1/lsm/.migrations/searchable_map_to_blockmax/started.mig", .sentinel, .writtenOnce),
        ("article/s1/lsm/.migrations/searchable_map_to_blockmax/progress.mig.000000012", .sentinel, .writtenOnce),
        ("article/s1/lsm/.migrations/searchable_map_to_blockmax/properties.mig.tmp", .temporary, .growingTemporary),
        // §1.7 HNSW, of today and before 1.39
        ("article/s1/main.hnsw.commitlog.d/1795402883", .graphLog, .appendOnly),
        ("article/s1/geo.place.hnsw.commitlog.d/1795402883", .graphLog, .appendOnly),
        ("article/s1/main.hfresh.d/main_centroids.hnsw.commitlog.d/1795402883", .graphLog, .appendOnly),
        ("article/s1/main.hnsw.commitlog.d/1795402883.condensed", .condensedLog, .appendOnly),
        ("article/s1/main.hnsw.commitlog.d/1795402883.combined.tmp", .graphTemporary, .growingTemporary),
        ("article/s1/main.hnsw.commitlog.d/1795402883.sorted", .sortedLog, .writtenOnce),
        ("article/s1/main.hnsw.commitlog.d/1795402883_1795402999.sorted", .sortedLog, .writtenOnce),
        ("article/s1/main.hnsw.commitlog.d/1795402883_1795402999.sorted.tmp", .graphTemporary, .growingTemporary),
        ("article/s1/main.hnsw.commitlog.d/1795402883.snapshot", .graphSnapshot, .writtenOnce),
        ("article/s1/main.hnsw.commitlog.d/1795402883_1795402999.snapshot", .graphSnapshot, .writtenOnce),
        ("article/s1/main.hnsw.commitlog.d/1795402883.snapshot.tmp", .graphTemporary, .growingTemporary),
        ("article/s1/main.hnsw.commitlog.d/hnsw-snapshot-body-77.tmp", .graphTemporary, .growingTemporary),
        ("article/s1/main.hnsw.commitlog.d/1795402883.snapshot.migrating", .graphTemporary, .growingTemporary),
        ("article/s1/main.hnsw.commitlog.d/.compact.migrated", .graphMigration, .inPlace),
        ("article/s1/main.hnsw.commitlog.d/.compact.migration.state", .graphMigration, .inPlace),
        ("article/s1/vectors_title.hnsw.snapshot.d/1795402883.snapshot", .graphSnapshot, .writtenOnce),
        ("article/s1/vectors_title.hnsw.snapshot.d/1795402883.snapshot.checkpoints", .graphSnapshot, .writtenOnce),
        ("article/s1/vectors_title.hnsw.snapshot.d/1795402883.snapshot.tmp", .graphTemporary, .growingTemporary),
        // §3.10 queues
        ("article/s1/main.queue.d/chunk-1795402883388762.bin", .queueChunk, .appendWithPatchedHeader),
        ("article/s1/main.hfresh.d/analyze.queue.d/chunk-1795402883388762.bin", .queueChunk, .appendWithPatchedHeader),
        ("article/s1/main.queue.d/chunk-1795402883388762.bin.processed", .queueMark, .writtenOnce),
        ("article/s1/main.queue.d/chunk-1795402883388762.bin.corrupt", .queueMark, .writtenOnce),
    ]

    @Test(arguments: rows)
    func `is told from its path`(path: String, kind: DataFileKind, mode: WriteMode) {
        #expect(DataFileKind.of(path: Self.path(path)) == kind)
        #expect(kind.mode == mode)
    }

    /// Close to a known name, and trusted for nothing.
    static let strangers = [
        "", "notes.txt", "other.db", "article/s1/lsm/objects/segment-.wal", "article/s1/lsm/objects/segment-1a.wal",
        "article/s1/lsm/objects/segment-1.l0.s0.x9.db", "article/s1/lsm/objects/segment-1_2.l0.s0.db", "article/s1/lsm/objects/segment-1.db2",
        "article/s1/1795402883", "article/s1/main.hnsw.commitlog.d/1795402883x", "article/s1/main.hnsw.commitlog.d/1795402883.sorted.old",
        "article/s1/main.hnsw.commitlog.d/deeper/1795402883", "article/s1/chunk-1.bin", "article/s1/main.queue.d/chunk-.bin",
        "article/s1/state.bin", "article/s1/7c1d.log", "article/started.mig", "migration1.22.fs.hierarchy.old", "article/migration1.22.fs.hierarchy",
        "article/.backup.tmp/x", "INDEXCOUNT", "indexcount ", "x.deleteme", "permTest",
    ]

    @Test(arguments: strangers)
    func `is unknown`(path: String) {
        #expect(DataFileKind.of(path: Self.path(path)) == .unknown)
    }

    @Test func `bytes that are no text are a name like any other`() {
        #expect(DataFileKind.of(path: [Name(unchecked: [0xFF]), Name(unchecked: [0xFF, 0x2E] + Array("tmp".utf8))]) == .temporary)
        #expect(DataFileKind.of(path: [Name(unchecked: [0xFF])]) == .unknown)
    }

    @Test func `a long name is looked at in no time`() {
        let long = Name(unchecked: Array("segment-".utf8) + [UInt8](repeating: 0x2E, count: 247))
        let started = ContinuousClock.now
        for _ in 0..<1000 { #expect(DataFileKind.of(path: [long, long, long]) == .unknown) }
        #expect(started.duration(to: .now) < .seconds(10))
    }
}
