package import AsofCore
package import AsofRepository
internal import AsofSystem
internal import Synchronization

/// Writes a view into a folder: batch after batch, each read in the order of storage by several threads, made durable and noted before
/// the next one begins. What was noted is not done again.
package final class Restore {
    package struct Options: Sendable {
        package var jobs = 2
        /// Bytes of files a second.
        package var rate: UInt64?
        /// Left on the restored root; nil: nothing is.
        package var origin: DirectoryOrigin?

        package init() {}
    }

    private let view: View
    private let repository: Repository
    private let folder: RestoreFolder
    private let options: Options
    private let progress: RestoreProgress
    private let limit: RateLimit
    /// What an interruption costs: of a restore that is held back to a rate, and of one that turns out to be slow.
    private static let secondsWithLimit: UInt64 = 5
    private static let secondsAtMost = 20.0
    /// Where making anything durable takes long, less would take for ever.
    private static let slowBatch: UInt64 = 64 << 20
    private let limits: RestorePlanner.Limits

    package convenience init(_ view: View, repository: Repository, folder: RestoreFolder, options: Options, progress: RestoreProgress) {
        self.init(view, repository: repository, folder: folder, options: options, progress: progress, limits: RestorePlanner.Limits())
    }

    init(_ view: View, repository: Repository, folder: RestoreFolder, options: Options, progress: RestoreProgress, limits: RestorePlanner.Limits) {
        self.view = view
        self.repository = repository
        self.folder = folder
        self.options = options
        self.progress = progress
        self.limits = limits.holding(options.rate.map { $0.multipliedReportingOverflow(by: Self.secondsWithLimit).partialValue })
        limit = RateLimit(bytesPerSecond: options.rate)
    }

    /// Names of files that cannot be restored: the first ones, and how many.
    private var damaged: (reason: AsofError, files: [String], count: Int)?
    private static let damagedShown = 20
    /// False: the file system of the target keeps no extended attributes.
    package private(set) var hasLeftOrigin = true
    private var broken: Set<InodeNumber> = []

    /// Makes the tree whole and durable, under its hidden name. `.damaged`: what could be read is there, nothing else is.
    /// `survey`: of the same view, from where this restore begins.
    package func run(_ survey: RestoreSurvey? = nil) throws(AsofError) {
        let state = folder.known
        guard !state.isWhole else { return }
        let root = try folder.openTree()
        // The survey's batch may be larger than one of ours.
        let walked = options.rate == nil ? survey?.walked : nil
        let planner = walked?.planner ?? RestorePlanner(view, from: state.done, limits: limits)
        var known = walked?.batch
        let workers = (0..<max(1, options.jobs)).map { _ in
            Worker(tree: RestoredTree(root, planner.walk.folders, view, progress), repository, view, progress)
        }
        let isAgain = state.done != RestorePosition() || state.files > 0 || (try? DirectoryReader(folder.tree).next()) != nil
        while true {
            let next = if let known { known } else { try planner.next() }
            guard var batch = next else { break }
            known = nil
            let began = SystemClock.monotonicNanoseconds()
            try perform(&batch, workers, clearing: isAgain)
            guard damaged == nil else { continue }
            CrashPoint.reach("restore.batch.written")
            try sync(root)
            CrashPoint.reach("restore.batch.synced")
            try note { $0.done = batch.end }
            CrashPoint.reach("restore.batch.noted")
            let seconds = Double(SystemClock.monotonicNanoseconds() - began) / 1e9
            planner.limits = limits.holding(seconds > 0 ? max(Self.slowBatch, UInt64(min(1e18, Double(batch.bytes) / seconds * Self.secondsAtMost))) : nil)
        }
        if let damaged { throw refusal(damaged) }
        if isAgain { for number in 1..<UInt32(planner.walk.folders.count) { try workers[0].tree.reopenFolder(number) } }
        // Each after what is in it: making that changed its times.
        for number in (1..<UInt32(planner.walk.folders.count)).reversed() {
            try progress.checkStop()
            try workers[0].tree.finishFolder(number)
        }
        hasLeftOrigin = try workers[0].tree.finishRoot(options.origin)
        CrashPoint.reach("restore.folders.finished")
        try sync(root)
        try note { $0.isWhole = true }
    }

    private func note(_ change: (inout RestoreState) -> Void) throws(AsofError) {
        let (before, progress) = (base, progress)
        try folder.update { state in
            state.files = before.files + progress.files
            state.bytes = before.bytes + progress.bytes
            state.incomplete = before.incomplete + progress.incomplete
            change(&state)
        }
    }

    /// What earlier runs had done.
    private lazy var base: (files: UInt64, bytes: UInt64, incomplete: UInt64) = (folder.known.files, folder.known.bytes, folder.known.incomplete ?? 0)

    private func sync(_ root: SharedDescriptor) throws(AsofError) {
        do throws(Errno) { try SystemCall.syncFileSystem(root.unmanaged) } catch { throw AsofError(error, "cannot make \(folder.tree) durable") }
    }

    // MARK: A batch

    private final class Worker: @unchecked Sendable {
        // Invariant behind @unchecked Sendable: used by one thread at a time, the batch's own or, between batches, the main one.
        let tree: RestoredTree
        let hands: RestoreWorker

        init(tree: RestoredTree, _ repository: Repository, _ view: View, _ progress: RestoreProgress) {
            self.tree = tree
            hands = RestoreWorker(repository, tree, view, progress)
        }
    }

    private func perform(_ batch: inout RestoreBatch, _ workers: [Worker], clearing: Bool) throws(AsofError) {
        let tree = workers[0].tree
        for number in batch.folders { try tree.makeFolder(number) }
        if clearing {
            for file in batch.files where file.begins { try tree.clear(file.place) }
            for link in batch.links { try tree.clear(link.place) }
        }
        let stretches = Stretch.cut(&batch.pieces)
        let damage = RestoreDamage()
        // What lacks a part that an earlier batch could not give is not finished by this one.
        if let damaged { for (index, file) in batch.files.enumerated() where !file.begins && broken.contains(file.inode) { damage.note(damaged.reason, [UInt32(index)]) } }
        try share(Share(batch, stretches), among: workers, damage)
        if let reason = damage.reason { try drop(damage.files.map { batch.files[Int($0)] }, reason, tree) }
        for link in batch.links {
            do throws(AsofError) { try tree.link(link) } catch {
                // Its file is among the damaged ones.
                guard damaged != nil else { throw error }
                noteDamage([tree.folders.path(of: link.place)])
            }
        }
    }

    /// A batch's work, taken by the threads piece by piece, in order.
    private final class Share: Sendable {
        let batch: RestoreBatch
        let stretches: [Stretch]
        let bare: [UInt32]
        let left: Lock<[Int32]>
        let next = Atomic<Int>(0)
        let failure = Lock<AsofError?>(nil)
        /// Files without bytes that are made at a time.
        static let bareStep = 64

        init(_ batch: RestoreBatch, _ stretches: [Stretch]) {
            self.batch = batch
            self.stretches = stretches
            bare = batch.bare
            left = Lock(batch.files.map(\.pieces))
        }

        var count: Int { stretches.count + (bare.count + Self.bareStep - 1) / Self.bareStep }
    }

    private func share(_ share: Share, among workers: [Worker], _ damage: RestoreDamage) throws(AsofError) {
        let (progress, limit) = (progress, limit)
        let check: @Sendable () throws(AsofError) -> Void = { () throws(AsofError) in
            try progress.checkStop()
            if let failure = share.failure.withLock({ $0 }) { throw failure }
        }
        let work: @Sendable (Worker) -> Void = { worker in
            do throws(AsofError) {
                while true {
                    let index = share.next.wrappingAdd(1, ordering: .relaxed).oldValue
                    guard index < share.count else { return }
                    try check()
                    guard index < share.stretches.count else {
                        let start = (index - share.stretches.count) * Share.bareStep
                        try worker.hands.makeBare(share.bare[start..<min(share.bare.count, start + Share.bareStep)], of: share.batch)
                        continue
                    }
                    let stretch = share.stretches[index]
                    try worker.hands.restore(stretch, of: share.batch, share.left, damage) { (count) throws(AsofError) in try limit.take(count, check) }
                }
            } catch {
                share.failure.withLock { if $0 == nil { $0 = error } }
            }
        }
        var threads: [NamedThread] = []
        for worker in workers.dropFirst() {
            if let thread = try? NamedThread("asof-restore", { work(worker) }) { threads.append(thread) }
        }
        work(workers[0])
        for thread in threads { thread.join() }
        if let failure = share.failure.withLock({ $0 }) { throw failure }
    }

    // MARK: Damage

    /// Half of a file is worse than none. But what earlier batches wrote of one is noted as done, and stays for the next run.
    private func drop(_ files: [RestoreBatch.File], _ reason: AsofError, _ tree: RestoredTree) throws(AsofError) {
        if damaged == nil { damaged = (reason, [], 0) }
        noteDamage(files.filter { broken.insert($0.inode).inserted }.map { tree.folders.path(of: $0.place) })
        for file in files where file.begins { try tree.clear(file.place) }
    }

    private func noteDamage(_ names: [String]) {
        guard var found = damaged else { return }
        found.count += names.count
        found.files += names.prefix(max(0, Self.damagedShown - found.files.count))
        damaged = found
    }

    private func refusal(_ found: (reason: AsofError, files: [String], count: Int)) -> AsofError {
        let more = found.count > found.files.count ? ", …" : ""
        return AsofError(
            .damaged, "\(found.count) files cannot be restored (\(found.files.joined(separator: ", "))\(more)): \(found.reason.message)",
            hint: "restore that object from a copy of the repository and give the same command again, or take another instant; what is whole lies in \(folder.tree)")
    }
}
