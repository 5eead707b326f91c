package import AsofCore
internal import AsofFormat
package import AsofFrame
package import AsofRepository
package import AsofStore
internal import AsofSystem

/// A random history in a repository in memory, with what the directory was after each transaction.
package final class RecordedHistory {
    package struct Options: Sendable {
        package var seed: UInt64
        package var transactions: Int
        package var compression: Compression
        package var isEncrypted: Bool
        /// In a hundred: how often a group ends after a transaction, a segment after a group, a base is made after a segment.
        package var groupEnds = 25
        package var segmentEnds = 30
        package var bases = 40
        package var longWrites = 3

        package init(seed: UInt64, transactions: Int = 60, compression: Compression = .standard, isEncrypted: Bool = false) {
            self.seed = seed
            self.transactions = transactions
            self.compression = compression
            self.isEncrypted = isEncrypted
        }

        /// Whatever the seed says.
        package static func varied(seed: UInt64) -> Options {
            var random = SplitMix64(seed: seed ^ 0xA50F)
            let compressions: [Compression] = [.zstd(level: 1), .gzip(level: 1), .none]
            var options = Options(
                seed: seed, transactions: 20 + random.below(70), compression: compressions[random.below(3)], isEncrypted: random.chance(40))
            options.groupEnds = 5 + random.below(60)
            options.segmentEnds = 5 + random.below(80)
            options.bases = random.below(80)
            options.longWrites = random.below(5)
            return options
        }
    }

    package let options: Options
    package let store: MemoryStore
    package let repository: Repository
    package let timeline: Timeline
    package private(set) var steps: [RandomHistory.Step] = []
    /// `models[n]`: after transaction n.
    package private(set) var models: [HistoryModel] = [HistoryModel()]
    package private(set) var head = Head()
    /// Of every inode, the blocks that any transaction touched.
    package private(set) var touched: [InodeNumber: Set<UInt64>] = [:]
    /// The user's key of an encrypted one.
    package static let key = UserKey(bytes: [UInt8](repeating: 7, count: 32))

    package init(_ options: Options) throws(AsofError) {
        self.options = options
        store = MemoryStore()
        repository = try Repository.create(
            in: store, compression: options.compression, key: options.isEncrypted ? Self.key : nil,
            now: Instant(nanoseconds: 1_700_000_000_000_000_000))
        timeline = try repository.timeline("main")
        try record(RandomHistory(seed: options.seed, longWrites: options.longWrites))
    }

    /// Another future of `parent`, in the same repository: a timeline that leaves it after `position` transactions.
    package init(_ name: String, leaving parent: RecordedHistory, after position: Int, _ options: Options) throws(AsofError) {
        self.options = options
        store = parent.store
        repository = parent.repository
        timeline = try repository.timeline(name)
        steps = Array(parent.steps.prefix(position))
        models = Array(parent.models.prefix(position + 1))
        let before = try parent.timeline.head()
        let cut = try parent.timeline.resolve(.lsn(LSN(UInt64(position))), head: before, reader: ObjectReader(repository: repository))
        head = try timeline.branch(from: parent.timeline, at: cut, head: before)
        try record(
            RandomHistory(
                seed: options.seed, longWrites: options.longWrites, after: parent.models[position], cut.lsn, cut.time, highestInode: head.highestInode))
    }

    private func record(_ start: RandomHistory) throws(AsofError) {
        let scratch: TemporaryDirectory
        do throws(Errno) { scratch = try TemporaryDirectory("history") } catch { throw AsofError(error, "no scratch directory") }
        var random = SplitMix64(seed: options.seed ^ 0x5EED)
        var history = start
        var builder: SegmentBuilder?
        var bytes: [UInt8] = []
        var previousHash: [UInt8] = []
        for number in stride(from: 1, through: options.transactions, by: 1) {
            let step = history.next()
            steps.append(step)
            models.append(history.model)
            let open: SegmentBuilder
            if let builder {
                open = builder
            } else {
                let header = ObjectHeader(kind: .segment, id: .random(), first: step.transaction.lsn, epoch: 1)
                open = SegmentBuilder(
                    header: header, timeline: timeline.name, previousHash: previousHash, highestInode: head.highestInode,
                    sealer: repository.sealer(for: header.id), compression: options.compression)
                bytes = open.begin()
            }
            builder = open
            step.payload.withUnsafeBytes { open.append(step.transaction, payload: $0) }
            let isLast = number == options.transactions
            guard isLast || random.chance(options.groupEnds) else { continue }
            bytes += try open.closeGroup()
            guard isLast || random.chance(options.segmentEnds) else { continue }
            bytes += try open.seal()
            builder = nil
            try publish(open.summary(), bytes)
            previousHash = open.summary().hash
            guard random.chance(options.bases) else { continue }
            _ = try timeline.createBase(reader: ObjectReader(repository: repository), scratch: scratch.path)
        }
        head = try timeline.head()
        for (inode, content) in history.model.inodes { touched[inode] = content.touched }
    }

    private func publish(_ segment: SealedObject, _ bytes: [UInt8]) throws(AsofError) {
        guard segment.size == UInt64(bytes.count), segment.hash == SHA256Hasher.hash(bytes) else {
            throw AsofError(.failure, "the summary of segment \(segment.first) does not describe its bytes")
        }
        try store.put(ObjectName.segment(timeline.name, first: segment.first, last: segment.last, epoch: segment.epoch), bytes)
        let time = steps[0].transaction.time
        head = try timeline.update { head throws(AsofError) in
            head.epoch = 1
            try head.append(segment)
            if head.first == nil { head.first = CutPoint(lsn: LSN(1), time: time) }
        }
    }

    /// Opens the repository anew, as another process would.
    package func reopened() throws(AsofError) -> Timeline {
        try Repository.open(store, key: options.isEncrypted ? Self.key : nil).timeline(timeline.name)
    }
}
