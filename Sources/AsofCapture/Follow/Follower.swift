package import AsofCore
package import AsofRepository
package import AsofSystem
internal import Glibc
internal import Synchronization

/// A running `follow`: a session, a watch on the directory, and the thread that compares the directory with the log once and then ticks.
package final class Follower: @unchecked Sendable {
    // Invariant behind @unchecked Sendable: `ticker` belongs to the thread that runs `run`.

    package struct Options: Sendable {
        /// Nanoseconds between two ticks.
        package var tick: Int64 = 1_000_000_000
        package var search = ServerSearch()
        /// Nil: the best that is possible.
        package var watchBy: WatchKind?
        /// The longest that the server may stand still in a tick; missed ticks widen it.
        package var cap: Duration = .milliseconds(100)
        package var scan = ScanOptions()
        /// Bytes of files at rest that are read again a second; nil: none.
        package var auditRate: UInt64?
        package init() {}
    }

    private struct Requests {
        var isStopping = false
        var ticksWanted: UInt64 = 0
        var ticksDone: UInt64 = 0
        var failure: AsofError?
        var isDone = false
        var isReplaced = false
    }

    private let directory: String
    private let session: CaptureSession
    private let options: Options
    private let requests = Monitor(Requests())
    private let covered: CoveredUntil
    private let figures: Lock<FollowFigures>
    private let outcome = Lock(Reconciler.Outcome())
    private let isSettled = Atomic<Bool>(false)
    private let watching: TreeWatching.Choice
    private let ticker: Ticker
    private let identity: FileStatus
    private let known: KnownIdentities
    private let auditor: Auditor?

    package init(
        directory: String, timeline: Timeline, spool: Spool, limits: CaptureLimits, options: Options, takeOver: Bool,
        report: @escaping @Sendable (String) -> Void
    ) throws(AsofError) {
        let (covered, figures) = (CoveredUntil(), Lock(FollowFigures()))
        session = try CaptureSession(
            backing: directory, timeline: timeline, spool: spool, limits: limits, takeOver: takeOver, clock: { covered.instant }, report: report)
        (self.directory, self.covered, self.figures, self.options) = (directory, covered, figures, options)
        let known = KnownIdentities()
        self.known = known
        do throws(WatchFailure) {
            watching = try TreeWatching.best(
                for: session.root.unmanaged, by: options.watchBy, unregistered: .init(files: .matching { known.contains($0) }))
        } catch { throw error.asofError }
        identity = try Surveyor.status(of: session.root)
        // Now, and not at the first change: a user namespace's root has the capability and may not.
        let handle = try Surveyor.handle(of: session.root)
        do throws(Errno) { _ = try handle.open(session.root.unmanaged, O_RDONLY | O_DIRECTORY) } catch {
            throw AsofError(
                error, "cannot open \(directory) by its handle",
                hint: "following needs CAP_DAC_READ_SEARCH outside of any user namespace; `asof check` says more")
        }
        auditor = options.auditRate.map { [session] in Auditor(session, rate: $0) }
        let surveyor = Surveyor(root: session.root, watch: watching.watch, tree: KnownTree(highest: session.highestInode))
        known.surveyor = surveyor
        ticker = Ticker(
            session, options, watching.watch, FollowedServer(directory: directory, root: session.root, search: options.search, note: spool.stopNote, report: report), surveyor,
            auditor, covered, figures)
    }

    // MARK: From other threads

    /// True when another capture took the timeline over: this one must end.
    package var isFenced: Bool { session.isFenced }

    /// True once it has ended by itself: `stop` says why.
    package var hasEnded: Bool { requests.withLock { $0.isDone } }

    /// What ended it.
    package var failure: AsofError? { requests.withLock { $0.failure } }

    /// It ended since another directory stands in the directory's place.
    package var isReplaced: Bool { requests.withLock { $0.isReplaced } }

    package func begin() throws(AsofError) {
        try session.startThread("asof-follow") { [self] in run() }
        guard let auditor else { return }
        try session.startThread("asof-audit") { [self] in auditor.run { !requests.withLock { $0.isStopping || $0.isDone } } }
    }

    /// A tick now, then everything sealed and archived.
    package func sealNow(timeout: Duration) throws(AsofError) -> Head {
        let wanted = requests.withLock { requests in
            // The tick under way may have begun before the call.
            requests.ticksWanted = max(requests.ticksWanted, requests.ticksDone + 2)
            return requests.ticksWanted
        }
        requests.broadcast()
        guard requests.wait(timeout: timeout, until: { $0.ticksDone >= wanted || $0.isDone }), failure == nil else {
            throw failure ?? AsofError(.unavailable, "the directory could not be looked at in time", hint: "`asof status` says more")
        }
        return try session.sealNow(timeout: timeout)
    }

    /// Ends it after a last tick. False: something could not be archived and waits in the spool.
    package func stop() -> Bool {
        requests.withLock { $0.isStopping = true }
        requests.broadcast()
        _ = requests.wait { $0.isDone }
        return session.stop()
    }

    package var status: RecorderStatus {
        let scan = outcome.withLock { $0 }
        var status = RecorderStatus(
            session, comparison: failure.map { "failed: \($0.message)" } ?? (isSettled.load(ordering: .relaxed) ? "done" : "running"), scan)
        var figures = figures.withLock { $0 }
        figures.summarize()
        let watch = watching.watch.status
        figures.watch = watch.kind.rawValue
        figures.watchReason = watching.reason
        figures.watchedDirectories = watch.directories
        figures.tick = options.tick
        figures.memory = ProcessMemory.resident
        let now = SystemClock.now()
        let head = session.archiver.head
        if head.first != nil {
            figures.storedLag = max(0, now.nanoseconds(since: head.exactUntil))
            // What is compared only now is captured when that is over.
            figures.capturedLag = isSettled.load(ordering: .relaxed) ? max(0, now.nanoseconds(since: covered.instant)) : figures.storedLag
        }
        if let audit = auditor?.figures {
            figures.audit = FollowFigures.Audit(files: audit.files, bytes: audit.bytes, differences: audit.differences, rounds: audit.rounds)
        }
        status.follow = figures
        return status
    }

    // MARK: The thread

    private func run() {
        do throws(AsofError) {
            try scan()
            var next = SystemClock.monotonicNanoseconds()
            while !requests.withLock({ $0.isStopping }) {
                try checkPlace()
                try tick()
                let now = SystemClock.monotonicNanoseconds()
                next &+= UInt64(max(1, options.tick))
                if next < now {
                    // A tick took longer than its time: those that should have begun meanwhile are missed.
                    let late = (now &- next) / UInt64(max(1, options.tick))
                    if late > 0 { figures.withLock { $0.missedTicks += late } }
                    next = now
                }
                _ = requests.wait(timeout: .nanoseconds(Int64(next &- now))) { $0.isStopping || $0.ticksWanted > $0.ticksDone }
            }
            if isSettled.load(ordering: .relaxed) { _ = try ticker.run(isLast: true) }
        } catch {
            var failure = error
            // Whatever failed: where the directory is gone, that is why.
            do throws(AsofError) { try checkPlace() } catch { failure = error }
            if !requests.withLock({ $0.isStopping }) { requests.withLock { $0.failure = failure } }
        }
        requests.withLock { $0.isDone = true }
        requests.broadcast()
    }

    private func tick() throws(AsofError) {
        let isFirst = !isSettled.load(ordering: .relaxed)
        if try ticker.run(settling: isFirst ? outcome.withLock { $0 } : nil), isFirst {
            try session.settle(outcome.withLock { $0 })
            isSettled.store(true, ordering: .relaxed)
        }
        requests.withLock { $0.ticksDone += 1 }
        requests.broadcast()
    }

    private func scan() throws(AsofError) {
        covered.set(SystemClock.now())
        _ = try ticker.server.find(isUrgent: true)
        let scan = TreeScan(session, watching.watch, options.scan)
        var reportedAt = SystemClock.monotonicNanoseconds()
        guard let tree = try Self.telling({ () throws(AsofError) in try scan.run(progress: { [self] found in
            outcome.withLock { $0 = found }
            ticker.hear()
            let now = SystemClock.monotonicNanoseconds()
            if now &- reportedAt >= 10_000_000_000 {
                reportedAt = now
                session.report("comparing: \(found.visited) files looked at, \(found.bytes >> 20) MiB read")
            }
            return !requests.withLock { $0.isStopping }
        }) }) else { return }
        ticker.surveyor.tree = tree
        if watching.kind == .inotify { ticker.linkedOutside = scan.linkedOutside(ticker.surveyor.tree) }
        known.isComplete = true
        outcome.withLock { $0 = scan.outcome }
    }

    /// Where the log cannot be read nothing can be compared with it: says what can be done all the same.
    private static func telling<Value: ~Copyable>(_ body: () throws(AsofError) -> Value) throws(AsofError) -> Value {
        do throws(AsofError) { return try body() } catch {
            throw error.code == .damaged ? AsofError(.damaged, error.message, hint: UnreadableLog.way(error)) : error
        }
    }

    /// The directory may have been moved away and another put in its place, which is then another history of the same name.
    private func checkPlace() throws(AsofError) {
        let now = try? SystemCall.status(directory)
        guard now?.device != identity.device || now?.inode != identity.inode else { return }
        requests.withLock { $0.isReplaced = true }
        throw AsofError(
            .failure, now == nil ? "\(directory) is gone" : "another directory stands where \(directory) was",
            hint: "start again: what stands there then is compared with the log")
    }
}

/// Which files the tree has, for the watch: they may be written through names that it does not watch.
private final class KnownIdentities: @unchecked Sendable {
    // Invariant behind @unchecked Sendable: set before the watch is asked, and asked on the follower's thread, as the tree is changed there.
    weak var surveyor: Surveyor?
    /// Until then any file of the file system may be one of them.
    var isComplete = false
    func contains(_ handle: StableHandle) -> Bool { !isComplete || surveyor?.tree.number(of: handle) != nil }
}
