package import AsofCore
package import AsofRepository
internal import AsofSystem
internal import AsofWeaviate
internal import Glibc
internal import Synchronization

/// A running `follow`: a session, a watch on the directory, and the server that stands still for a moment in each tick.
///
/// A tick: look at what changed while the server runs; stop it; look again at what changed since; let it go; read what was appended, up to
/// the sizes seen; log everything as one transaction, as of the moment when the last thread had stopped.
package final class Follower: @unchecked Sendable {
    // Invariant behind @unchecked Sendable: `surveyor`, `server` and `dirty` belong to the thread that runs `run`.

    package struct Options: Sendable {
        /// Nanoseconds between two ticks.
        package var tick: Int64 = 1_000_000_000
        package var search = ServerSearch()
        /// The longest that the server may stand still in a tick; missed ticks widen it.
        package var cap: Duration = .milliseconds(100)
        package init() {}
    }

    private struct Requests {
        var isStopping = false
        var ticksWanted: UInt64 = 0
        var ticksDone: UInt64 = 0
        var failure: AsofError?
        var isDone = false
    }

    /// Larger files of a kind that nobody knows are not read while the server stands still.
    private static let unknownLengthMax: UInt64 = 16 << 20

    private let session: CaptureSession
    private let options: Options
    private let requests = Monitor(Requests())
    private let covered: CoveredUntil
    private let figures = Lock(FollowFigures())
    private let outcome = Lock(Reconciler.Outcome())
    private let isSettled = Atomic<Bool>(false)
    private let watching: TreeWatching.Choice
    private let server: FollowedServer
    private let surveyor: Surveyor
    private var dirty = Dirty()
    /// What was seen and is not logged yet: a missed tick's, taken on by the next.
    private var survey = Survey()
    private var missed = 0
    private static let missedMax = 5

    package init(
        directory: String, timeline: Timeline, spool: Spool, limits: CaptureLimits, options: Options, takeOver: Bool,
        report: @escaping @Sendable (String) -> Void
    ) throws(AsofError) {
        let covered = CoveredUntil()
        session = try CaptureSession(
            backing: directory, timeline: timeline, spool: spool, limits: limits, takeOver: takeOver, clock: { covered.instant }, report: report)
        self.covered = covered
        self.options = options
        do throws(WatchFailure) { watching = try TreeWatching.best(for: session.root.unmanaged) } catch { throw error.asofError }
        server = FollowedServer(directory: directory, search: options.search, report: report)
        surveyor = Surveyor(root: session.root, watch: watching.watch, tree: KnownTree(highest: session.highestInode))
    }

    // MARK: From other threads

    /// True when another capture took the timeline over: this one must end.
    package var isFenced: Bool { session.isFenced }

    /// True once it has ended by itself: `stop` says why.
    package var hasEnded: Bool { requests.withLock { $0.isDone } }

    /// What ended it.
    package var failure: AsofError? { requests.withLock { $0.failure } }

    package func begin() throws(AsofError) { try session.startThread("asof-follow") { [self] in run() } }

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
        var status = RecorderStatus(
            session, comparison: failure.map { "failed: \($0.message)" } ?? (isSettled.load(ordering: .relaxed) ? "done" : "running"),
            outcome.withLock { $0 })
        var figures = figures.withLock { $0 }
        let watch = watching.watch.status
        figures.watch = watch.kind.rawValue
        figures.watchedDirectories = watch.directories
        status.follow = figures
        return status
    }

    // MARK: The thread

    private func run() {
        do throws(AsofError) {
            try scan()
            var next = SystemClock.monotonicNanoseconds()
            while !requests.withLock({ $0.isStopping }) {
                if try tick(), !isSettled.load(ordering: .relaxed) { try settle() }
                requests.withLock { $0.ticksDone += 1 }
                requests.broadcast()
                next &+= UInt64(max(1, options.tick))
                let now = SystemClock.monotonicNanoseconds()
                if next < now { next = now }
                _ = requests.wait(timeout: .nanoseconds(Int64(next &- now))) { $0.isStopping || $0.ticksWanted > $0.ticksDone }
            }
            if isSettled.load(ordering: .relaxed) { _ = try tick() }
        } catch {
            if !requests.withLock({ $0.isStopping }) { requests.withLock { $0.failure = error } }
        }
        requests.withLock { $0.isDone = true }
        requests.broadcast()
    }

    private func scan() throws(AsofError) {
        covered.set(SystemClock.now())
        _ = try server.find(now: true)
        var scan = TreeScan(session: session, watch: watching.watch)
        guard let tree = try scan.run(highest: session.highestInode, report: { [self] found in
            outcome.withLock { $0 = found }
            return !requests.withLock { $0.isStopping }
        }) else { return }
        surveyor.tree = tree
        outcome.withLock { $0 = scan.outcome }
    }

    private func settle() throws(AsofError) {
        try session.settle(outcome.withLock { $0 })
        isSettled.store(true, ordering: .relaxed)
    }

    /// One tick. False: it was missed.
    private func tick() throws(AsofError) -> Bool {
        let isNewServer = try server.find(now: false)
        let began = SystemClock.now()
        // While the server runs: most of the work, so that little is left for the stop.
        for _ in 0..<3 {
            dirty.removeAll()
            watching.watch.drain(into: &dirty)
            guard !dirty.hasOverflowed else { throw Self.overflow }
            if dirty.isEmpty { break }
            try surveyor.look(at: dirty, &survey)
        }
        defer { figures.withLock { $0.files = surveyor.tree.nodes.count } }
        figures.withLock { $0.ticks += 1 }
        let isFirst = !isSettled.load(ordering: .relaxed)
        guard !survey.isEmpty || isNewServer || isFirst else {
            covered.set(began)
            return true
        }
        surveyor.openAhead(&survey)
        guard let (moment, isExact) = try standingStill() else { return false }
        var plan = TickPlan(journal: session.journal)
        try plan.take(survey, into: &surveyor.tree)
        covered.set(moment)
        defer { survey = Survey() }
        // What the scan logged is exact as of this moment; where it logged nothing, the log was.
        if isFirst, plan.operations.isEmpty, outcome.withLock({ $0.transactions }) > 0, let root = surveyor.tree[.root] {
            plan.touch(.root, root.attributes)
        }
        guard !plan.operations.isEmpty else { return true }
        let isFuzzy = !isExact || !plan.torn.isEmpty
        try plan.begin()
        try session.journal.commit(plan.intents, isFuzzy ? .fuzzyTick : .tick, plan.operations)
        try session.journal.synchronize()
        figures.withLock { figures in
            figures.process = server.pid
            figures.stoppedBy = server.way?.rawValue
            figures.changedFiles = survey.sightings.count
            figures.changedBytes = plan.bytes
            if isFuzzy { figures.fuzzyTicks += 1 }
        }
        return true
    }

    /// Stops the server, looks at what changed since, lets it go. Returns as of when the survey holds, and whether nothing moved meanwhile;
    /// nil: the tick was missed.
    private func standingStill() throws(AsofError) -> (moment: Instant, isExact: Bool)? {
        for attempt in 1...2 {
            var report: StopReport?
            do throws(StopFailure) { report = try server.stop(within: options.cap * (missed + 1)) } catch {
                missed += 1
                figures.withLock { $0.missedTicks += 1 }
                session.report("a tick was missed: the server could not be stopped (\(error))")
                if missed <= Self.missedMax { return nil }
            }
            let start = SystemClock.monotonicNanoseconds()
            let looked = Result { () throws(AsofError) in try look() }
            let held = server.resume()
            let stall = SystemClock.monotonicNanoseconds() &- start
            if report != nil { figures.withLock { $0.note(stall: .nanoseconds(Int64(stall)) + (report?.took ?? .zero)) } }
            let isStill = try looked.get()
            let isStopped = report != nil && held
            if isStopped { missed = 0 }
            // Without a server nobody writes; somebody who does shows in an event that was born while we looked.
            if isStill, isStopped || (report == nil && server.pid == nil && !server.isNobodyMeant) {
                return (report?.stoppedAt ?? SystemClock.now(), true)
            }
            if attempt == 2 { return (report?.stoppedAt ?? SystemClock.now(), false) }
        }
        return (SystemClock.now(), false)
    }

    /// The look that counts. False: something changed while it was taken.
    private func look() throws(AsofError) -> Bool {
        dirty.removeAll()
        watching.watch.drain(into: &dirty)
        try surveyor.look(at: dirty, &survey)
        try surveyor.lookAgain(&survey)
        try surveyor.readInPlace(&survey, unknownLengthMax: Self.unknownLengthMax)
        dirty.removeAll()
        watching.watch.drain(into: &dirty)
        let isStill = dirty.isEmpty
        if !isStill { try surveyor.look(at: dirty, &survey) }
        return isStill
    }

    /// Events were lost: only a comparison of everything tells what changed.
    private static let overflow = AsofError(
        .failure, "the kernel lost events of the directory (its queue overflowed)",
        hint: "start again: the directory is compared with the log then; raise fs.inotify.max_queued_events, or run asof as root for fanotify")
}

/// Up to when everything that happened is in the log, or will be with the next commit.
final class CoveredUntil: Sendable {
    private let nanoseconds = Atomic<Int64>(0)
    var instant: Instant { Instant(nanoseconds: nanoseconds.load(ordering: .acquiring)) }
    /// Never goes back.
    func set(_ instant: Instant) { nanoseconds.max(instant.nanoseconds, ordering: .acquiringAndReleasing) }
}
