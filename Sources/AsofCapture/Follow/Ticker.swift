internal import AsofCore
internal import AsofRepository
internal import AsofSystem
internal import AsofWeaviate
internal import Glibc

/// Makes the ticks: looks at what changed while the server runs, stops it, looks again at what changed since, lets it go, and logs everything
/// as one transaction, as of the moment when the last thread had stopped. One thread's.
final class Ticker {
    let session: CaptureSession
    let options: Follower.Options
    let watch: any TreeWatch
    let covered: CoveredUntil
    let figures: Lock<FollowFigures>
    let server: FollowedServer
    let surveyor: Surveyor
    /// What happened and was not looked at yet.
    var dirty = Dirty()
    /// Something changed of which there are no events; none were lost.
    var mustLookThroughAll = false
    var tick = Tick()
    var contents: ContentLog
    /// Ticks without a state, one after the other.
    var missed = 0
    /// Files that the log had wrong, and since when: put right by this tick.
    var misjudged: [(path: String, since: CutPoint)] = []
    /// When it was last known that nobody had a file mapped for writing.
    var unmappedUntil: CutPoint?
    /// Files that have more names than the tree knows, where events name no identities.
    var linkedOutside: Set<InodeNumber> = []
    let auditor: Auditor?
    var countedAt: UInt64 = 0
    var lastVerb = Verb.tick
    /// Files looked at in the newest stop.
    var inStop = 0
    /// What one file costs in a stop, in nanoseconds, as it was lately.
    var examinationCost: UInt64 = 15_000

    /// After so many missed ticks the stop takes as long as it must.
    static let missedMax = 5
    /// Looks before the stop, as long as each leaves less than the one before.
    static let looksMax = 8
    /// Looks of one tick at names of what vanished before it was looked at.
    static let looksAgainMax = 4
    /// A stop in which the looking would take longer, in nanoseconds, ends at once, and there is another round of looks before the next;
    /// so many rounds at most.
    static let stallWanted: UInt64 = 5_000_000
    static let roundsMax = 5
    /// So little may be left for the stop.
    static let littleEnough = 16

    init(
        _ session: CaptureSession, _ options: Follower.Options, _ watch: any TreeWatch, _ server: FollowedServer, _ surveyor: Surveyor,
        _ auditor: Auditor?, _ covered: CoveredUntil, _ figures: Lock<FollowFigures>
    ) {
        self.auditor = auditor
        self.session = session
        self.options = options
        self.watch = watch
        self.server = server
        self.surveyor = surveyor
        self.covered = covered
        self.figures = figures
        contents = ContentLog(session, after: .tick)
    }

    /// Takes what has happened out of the kernel's queue: in between, where looking takes long.
    func hear() { watch.drain(into: &dirty) }

    /// One tick. `scan`: what was logged before it becomes exact with it. `isLast`: nobody looks after it. False: it was missed.
    func run(settling scan: Reconciler.Outcome? = nil, isLast: Bool = false) throws(AsofError) -> Bool {
        // Heard, so that nothing is lost, but not logged: there is no room. The tick that finds room again holds all of it.
        guard !session.isFull else { return missForWantOfRoom() }
        let began = SystemClock.now()
        try checkMappings(pause: isLast ? .zero : .seconds(5))
        try lookAhead()
        // What there was room for is logged, and stays.
        guard !session.isFull else { return missForWantOfRoom() }
        let isIdle = tick.isEmpty
        if !isIdle { try checkMappings(pause: .seconds(1)) }
        let isNewServer = try server.find(isUrgent: !isIdle || scan != nil)
        noteTick()
        guard !isIdle || isNewServer || scan != nil else {
            covered.set(began)
            return true
        }
        guard let (moment, isExact) = try standingStill() else {
            missed += 1
            figures.withLock { $0.missedTicks += 1 }
            return false
        }
        missed = 0
        try log(as: isExact ? .tick : .fuzzyTick, at: moment, settling: scan)
        return true
    }

    private func missForWantOfRoom() -> Bool {
        hear()
        figures.withLock { $0.missedTicks += 1 }
        return false
    }

    private func noteTick() {
        let now = SystemClock.monotonicNanoseconds()
        figures.withLock { $0.ticks += 1 }
        guard now &- countedAt >= 5_000_000_000 else { return }
        countedAt = now
        let (files, bytes) = (surveyor.tree.count, surveyor.tree.byteCount)
        figures.withLock {
            $0.files = files
            $0.knownBytes = bytes
        }
    }

    // MARK: Logging

    private func noteLinks() {
        for (number, sighting) in tick.sightings {
            guard let attributes = sighting.attributes, attributes.isRegular else { continue }
            if let node = surveyor.tree[number], Int(attributes.links) > node.names { linkedOutside.insert(number) } else { linkedOutside.remove(number) }
        }
        linkedOutside = linkedOutside.filter { surveyor.tree.contains($0) }
    }

    private func declareMisjudged() throws(AsofError) {
        guard !misjudged.isEmpty else { return }
        let end = session.journal.mark()
        for (path, since) in misjudged {
            try session.declare(Gap(after: since, before: CutPoint(lsn: end.lsn, time: end.time), reason: "\(path) was not as the log had it"))
        }
        misjudged = []
    }

    private func log(as verb: Verb, at moment: Instant, settling scan: Reconciler.Outcome?) throws(AsofError) {
        let (operations, intents) = try contents.take()
        var transaction = TickTransaction(tick, contents: operations, announced: contents.announced, &surveyor.tree)
        // A name of nothing would be a wrong state. Beginning anew compares everything.
        guard transaction.unseen.isEmpty else { throw AsofError(.unavailable, "\(transaction.unseen.count) new files could not be looked at in time") }
        surveyor.forget(directories: transaction.goneDirectories)
        for number in transaction.gone {
            tick.growing[number] = nil
            tick.unchecked[number] = nil
        }
        covered.set(moment)
        // What the scan logged is exact as of this moment; where it logged nothing, the log was.
        if let scan, scan.transactions > 0, transaction.operations.isEmpty { transaction.touch(.root, try Surveyor.status(of: session.root).attributes) }
        let (changed, torn, bytes) = (tick.sightings.count, tick.torn, contents.bytes)
        let verb = torn.isEmpty ? verb : .fuzzyTick
        if !transaction.operations.isEmpty {
            let intents = intents.isEmpty ? [try session.journal.begin([])] : intents
            try session.journal.commit(intents, verb, transaction.operations)
            CrashPoint.reach("follow.tick.committed")
            try session.journal.synchronize()
            lastVerb = verb
            figures.withLock { $0.note(durableAfter: SystemClock.now().nanoseconds(since: moment)) }
        }
        try declareMisjudged()
        if watch.status.kind == .inotify { noteLinks() }
        tick.clear()
        contents = ContentLog(session, after: lastVerb)
        figures.withLock { figures in
            figures.process = server.pid
            figures.processes = server.count
            figures.hiddenProcesses = server.hidden
            figures.stoppedBy = server.way?.rawValue
            figures.changedFiles = changed
            figures.changedInStop = inStop
            figures.changedBytes = bytes
            guard verb.isFuzzy, !transaction.operations.isEmpty else { return }
            figures.fuzzyTicks += 1
            figures.torn = Array(torn.prefix(5))
        }
    }
}

extension Duration {
    /// Whole nanoseconds.
    var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
