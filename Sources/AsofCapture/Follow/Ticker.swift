internal import AsofCore
internal import AsofRepository
internal import AsofSystem
internal import AsofWeaviate
internal import Glibc

/// Makes the ticks: looks at what changed while the server runs, stops it, looks again at what changed since, lets it go, and logs everything
/// as one transaction, as of the moment when the last thread had stopped. One thread's.
final class Ticker {
    private let session: CaptureSession
    private let options: Follower.Options
    private let watch: any TreeWatch
    private let covered: CoveredUntil
    private let figures: Lock<FollowFigures>
    let server: FollowedServer
    let surveyor: Surveyor
    /// What happened and was not looked at yet.
    private var dirty = Dirty()
    private var tick = Tick()
    private var contents: ContentLog
    /// Ticks without a state, one after the other.
    private var missed = 0
    /// Files that the log had wrong, and since when: put right by this tick.
    private var misjudged: [(path: String, since: CutPoint)] = []
    /// When it was last known that nobody had a file mapped for writing.
    private var unmappedUntil: CutPoint?
    /// Files that have more names than the tree knows, where events name no identities.
    var linkedOutside: Set<InodeNumber> = []
    private let auditor: Auditor?
    private var countedAt: UInt64 = 0
    private var lastVerb = Verb.tick
    /// Files looked at in the newest stop.
    private var inStop = 0

    /// After so many missed ticks the stop takes as long as it must.
    private static let missedMax = 5
    /// Looks before the stop, as long as each leaves less than the one before.
    private static let looksMax = 8
    /// So little may be left for the stop.
    private static let littleEnough = 16

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
        contents = ContentLog(session.journal, after: .tick)
    }

    /// Takes what has happened out of the kernel's queue: in between, where looking takes long.
    func hear() { watch.drain(into: &dirty) }

    /// One tick. `scan`: what was logged before it becomes exact with it. False: it was missed.
    func run(settling scan: Reconciler.Outcome? = nil) throws(AsofError) -> Bool {
        // Heard, so that nothing is lost, but not logged: there is no room. The tick that finds room again holds all of it.
        guard !session.isFull else {
            hear()
            figures.withLock { $0.missedTicks += 1 }
            return false
        }
        let began = SystemClock.now()
        try checkMappings(isUrgent: false)
        try lookAhead()
        let isIdle = tick.isEmpty
        if !isIdle { try checkMappings(isUrgent: true) }
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

    // MARK: While the server runs

    /// Most of the work, so that little is left for the stop.
    private func lookAhead() throws(AsofError) {
        takeFindings()
        for number in linkedOutside { if try hasChanged(number) { tick.touch(number) } }
        var before = Int.max
        for _ in 0..<Self.looksMax {
            hear()
            if dirty.hasOverflowed { try lookThroughAll() }
            // Too many events even for that: the tick will be missed.
            guard !dirty.hasOverflowed else { return }
            try surveyor.look(at: dirty, &tick)
            dirty.removeAll()
            if surveyor.hasLostTrack { try lookThroughAll() }
            let count = tick.stale.count
            guard count > 0 else { break }
            try examineStale()
            guard count > Self.littleEnough, count < before - before / 4 else { break }
            before = count
        }
        try checkWhatRests()
    }

    /// Reads files whole that were made under our eyes and have come to rest.
    private func checkWhatRests() throws(AsofError) {
        for (number, since) in tick.unchecked where tick.sightings[number] == nil && !tick.stale.contains(number) {
            tick.unchecked[number] = nil
            var allowance = Examination.Allowance.none
            guard let node = surveyor.tree[number],
                let seen = try Examination(number, surveyor, logged: surveyor.tree.digests(of: number) ?? ContentDigests(), isUnchecked: true, &allowance)
            else { continue }
            guard node.isLogged(as: seen.attributes) else {
                // It changes again; the event is on its way.
                tick.unchecked[number] = since
                continue
            }
            if try contents.check(seen, &surveyor.tree) {
                tick.touch(number)
                let path = surveyor.tree.path(of: number)?.map(\.description).joined(separator: "/") ?? "a file without a name"
                session.report("\(path) was written otherwise than \(seen.kind.name)s are: states since \(since.time) become a gap")
                misjudged.append((path, since))
            }
        }
    }

    /// A file with names that nobody watches: its events may go unheard.
    private func hasChanged(_ number: InodeNumber) throws(AsofError) -> Bool {
        guard let node = surveyor.tree[number], let descriptor = try surveyor.open(number, SystemCall.O_PATH) else { return true }
        return try !node.isLogged(as: Surveyor.status(of: descriptor).attributes)
    }

    /// What the server writes through memory nobody hears of: while it may, all is looked through, and states are fuzzy.
    private func checkMappings(isUrgent: Bool) throws(AsofError) {
        let wasMapping = server.isMapping
        guard try server.checkMappings(isUrgent: isUrgent) else { return }
        if server.isMapping || wasMapping { dirty.hasOverflowed = true }
        if server.isMapping, !wasMapping, let unmappedUntil { misjudged.append(("a file mapped for writing", unmappedUntil)) }
        if !server.isMapping {
            let end = session.journal.end
            unmappedUntil = CutPoint(lsn: end.lsn, time: end.time)
        }
    }

    private func takeFindings() {
        for finding in auditor?.takeFindings() ?? [] {
            session.report("audit: \(finding.path) is not what the log says, although nothing told of a change; it is read again, and states since then become a gap")
            misjudged.append((finding.path, finding.since))
            if let number = surveyor.tree.number(of: finding.handle) {
                surveyor.tree.setDigests(nil, of: number)
                tick.touch(number)
                tick.rewritten.insert(number)
            } else {
                // A name that came to mean another file.
                dirty.hasOverflowed = true
            }
        }
    }

    private func examineStale(isEverything: Bool = false) throws(AsofError) {
        for number in tick.stale {
            var allowance = Examination.Allowance(appended: 64 << 10, inPlace: 64 << 10)
            guard let seen = try examine(number, &allowance) else { continue }
            if isEverything, let node = surveyor.tree[number], !tick.rewritten.contains(number), node.isLogged(as: seen.attributes), node.kind.mode == .appendOnly || node.kind.mode == .writtenOnce {
                tick.sightings[number] = nil
                continue
            }
            try contents.take(seen, isStill: false, &surveyor.tree, &tick)
            try contents.goAhead(tick)
        }
        tick.stale.removeAll(keepingCapacity: true)
    }

    /// Looks at one thing; nil where it is gone.
    private func examine(_ number: InodeNumber, _ allowance: inout Examination.Allowance) throws(AsofError) -> Examination? {
        let logged = surveyor.tree.digests(of: number) ?? ContentDigests()
        guard let seen = try Examination(number, surveyor, logged: logged, isUnchecked: tick.unchecked[number] != nil, &allowance) else {
            tick.sightings[number] = nil
            return nil
        }
        var sighting = tick.sightings[number] ?? Tick.Sighting()
        sighting.attributes = seen.attributes
        if tick.born.contains(number) || surveyor.tree[number]?.isLogged(as: seen.attributes) == false {
            sighting.extendedAttributes = Surveyor.extendedAttributes(of: seen.descriptor)
            if seen.attributes.kind == .symbolicLink, tick.born.contains(number) {
                do throws(Errno) { sighting.target = try SystemCall.readLink(at: seen.descriptor.unmanaged, "") } catch {
                    throw AsofError(error, "cannot read a symbolic link")
                }
            }
        }
        tick.sightings[number] = sighting
        return seen
    }

    /// The kernel lost events: anything may have changed since the last tick. What is found goes into one tick like any other.
    private func lookThroughAll() throws(AsofError) {
        // What overflows while we look is lost as well: until a look had none. A tick that never had one is missed in its stop.
        for _ in 0..<5 where dirty.hasOverflowed || surveyor.hasLostTrack {
            if dirty.hasOverflowed { session.report("events of the directory were lost: all of it is looked through") }
            figures.withLock { $0.overflows += 1 }
            dirty.removeAll()
            try lookThroughOnce()
        }
    }

    private func lookThroughOnce() throws(AsofError) {
        var gathered = tick
        tick = Tick()
        defer { tick = gathered }
        try surveyor.lookThroughAll(&gathered) { [self] (tick) throws(AsofError) in
            // The events of what is looked through later may go on filling the queue.
            hear()
            swap(&tick, &self.tick)
            defer { swap(&tick, &self.tick) }
            try examineStale(isEverything: true)
        }
    }

    // MARK: While it stands still

    /// Stops the server, looks at what changed since, lets it go. Returns as of when everything holds, and whether nothing moved meanwhile;
    /// nil: the tick was missed.
    private func standingStill() throws(AsofError) -> (moment: Instant, isExact: Bool)? {
        for attempt in 1...2 {
            let isPatient = missed >= Self.missedMax
            var report: StopReport?
            do throws(StopFailure) { report = try stopServer() } catch {
                server.noteMissed(missed)
                session.report("a tick was missed: the server could not be stopped (\(error))")
                if !isPatient { return nil }
            }
            let start = SystemClock.monotonicNanoseconds()
            let deadline = isPatient ? UInt64.max : start &+ UInt64(max(0, (options.cap * (missed + 1)).nanoseconds))
            let looked = Result { () throws(AsofError) in try lookOnce(until: deadline) }
            let held = server.resume()
            CrashPoint.reach("follow.stop.after")
            let stall = SystemClock.monotonicNanoseconds() &- start
            if let report { figures.withLock { $0.note(stall: .nanoseconds(Int64(stall)) + report.took) } }
            let look = try looked.get()
            inStop = look.seen.count
            for seen in look.seen { try contents.take(seen, isStill: true, &surveyor.tree, &tick) }
            guard look.isWhole else { return nil }
            let isStopped = report != nil && held
            // Without a server nobody writes; somebody who does shows in an event that was born while we looked, or in an open file.
            let isQuiet = report == nil && server.isAlone(changed: look.seen)
            let isExact = look.isStill && (isStopped || isQuiet) && !server.isMapping
            if isExact || attempt == 2 {
                try checkWhatWasReadLater()
                return (report?.stoppedAt ?? look.moment, isExact)
            }
        }
        return nil
    }

    /// Tries a few times, briefly each: a thread in the middle of a slow write stops when that has ended, and until then the others should run.
    private func stopServer() throws(StopFailure) -> StopReport? {
        let cap = min(options.cap, options.cap / 4 * (missed + 1))
        var attempt = 1
        while true {
            let start = SystemClock.monotonicNanoseconds()
            do throws(StopFailure) { return try server.stop(within: cap) } catch {
                // It stood still in vain, most of it.
                let stall = SystemClock.monotonicNanoseconds() &- start
                figures.withLock { $0.note(stall: .nanoseconds(Int64(clamping: stall))) }
                guard error == .timedOut, attempt < 4 else { throw error }
            }
            SystemClock.sleep(.milliseconds(10 * attempt))
            attempt += 1
            hear()
        }
    }

    private struct Look {
        var seen: [Examination] = []
        /// False: there was no time to look at everything.
        var isWhole = true
        /// False: something changed while we looked.
        var isStill = true
        var moment: Instant
    }

    /// The look that counts.
    private func lookOnce(until deadline: UInt64) throws(AsofError) -> Look {
        var look = Look(moment: SystemClock.now())
        hear()
        if dirty.hasOverflowed {
            look.isWhole = false
            return look
        }
        CrashPoint.reach("follow.stop.within")
        try surveyor.look(at: dirty, &tick)
        dirty.removeAll()
        guard !surveyor.hasLostTrack else {
            look.isWhole = false
            return look
        }
        tick.stale.formUnion(tick.doubtful)
        for number in linkedOutside { if try hasChanged(number) { tick.touch(number) } }
        // Nobody stands still for us: everything is looked at in one go.
        if server.pid == nil { tick.stale.formUnion(tick.sightings.keys) }
        var allowance = Examination.Allowance()
        var count = 0
        for number in tick.stale {
            count += 1
            if count % 64 == 0, SystemClock.monotonicNanoseconds() > deadline {
                look.isWhole = false
                return look
            }
            if let seen = try examine(number, &allowance) { look.seen.append(seen) }
            tick.stale.remove(number)
        }
        tick.doubtful.removeAll(keepingCapacity: true)
        hear()
        look.isStill = dirty.isEmpty
        return look
    }

    /// What was read after the stop, and may have changed in the meantime, makes the tick fuzzy.
    private func checkWhatWasReadLater() throws(AsofError) {
        hear()
        var touched: Set<InodeNumber> = []
        for handle in dirty.files { if let number = surveyor.tree.number(of: handle) { touched.insert(number) } }
        for (token, part) in dirty.directories {
            for name in part.touched { if let number = surveyor.tree.target(of: name, in: InodeNumber(token.rawValue)) { touched.insert(number) } }
        }
        for seen in try contents.changedWhileRead(touched: touched) {
            let path = surveyor.tree.path(of: seen.number)?.map(\.description).joined(separator: "/")
            tick.torn.append("\(path ?? "a file without a name") (\(seen.kind.name), \(seen.attributes.size) bytes)")
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
        contents = ContentLog(session.journal, after: lastVerb)
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
