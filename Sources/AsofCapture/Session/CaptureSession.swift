internal import AsofCore
internal import AsofFormat
internal import AsofRepository
internal import AsofStore
internal import AsofSystem
internal import AsofView
internal import Glibc
internal import Synchronization

/// What every way of capturing stands on: takes the timeline, brings back what an earlier life left, keeps the log, seals and archives it.
///
/// What is logged is exact once the capture has compared the directory with the log and says so (`settle`).
final class CaptureSession: Sendable {
    let timeline: Timeline
    let spool: Spool
    let limits: CaptureLimits
    let journal: Journal
    let sealer: Sealer
    let archiver: Archiver
    let appender: Appender
    /// The backing directory.
    let root: SharedDescriptor
    /// The directory as the log has it; nil: the log is empty.
    let known: View?
    let highestInode: InodeNumber
    /// Whose contents are compared whatever their size and times say.
    let suspicion: Suspicion
    /// Where the log ended before this life: what came after it is exact once the comparison is over.
    let start: CutPoint
    let report: @Sendable (String) -> Void

    private let spoolLock: SharedDescriptor
    private let threads = Lock<[NamedThread]>([])
    private let isStopping = Atomic<Bool>(false)
    private let unsettled: CaptureLife.Unsettled
    /// No state was recoverable before this life's comparison.
    private let isFirstScan: Bool
    /// Where the timeline left its parent; nil: it has none.
    private let branch: Branch?
    private let life: Lock<CaptureLife>
    private let isClockBehind = Atomic<Bool>(false)
    /// When this life began to capture.
    private let began: Instant
    private let isOutOfSpace = Atomic<Bool>(false)

    /// Files that are judged by their contents and not by their size and times.
    struct Suspicion: Sendable {
        /// A change was in flight when the last capture ended.
        var inFlight: Set<InodeNumber> = []
        /// Files changed since then: after a power cut times can be newer than data.
        var changedSince: Instant = .distantFuture
    }

    /// Opens everything and starts sealing and archiving. `report`: one line for the operator.
    init(
        backing: String, timeline: Timeline, spool: Spool, limits: CaptureLimits, takeOver: Bool,
        clock: @escaping @Sendable () -> Instant = SystemClock.now, report: @escaping @Sendable (String) -> Void
    ) throws(AsofError) {
        let repository = timeline.repository
        self.timeline = timeline
        self.spool = spool
        self.limits = limits
        self.report = report
        let root: SharedDescriptor
        do throws(Errno) {
            _ = try SystemCall.raiseDescriptorLimit()
            root = SharedDescriptor(try SystemCall.open(backing, O_RDONLY | O_DIRECTORY))
        } catch {
            throw AsofError(error, "cannot open \(backing)")
        }
        self.root = root
        try spool.prepare()
        let holder = try Holder.current()
        spoolLock = try spool.lock(holder: holder.description)
        try Self.lock(root, backing)

        // What is here already, before anything is changed.
        var waiting = try spool.sealedSegments(repository: repository)
        var life = try spool.loadLife()
        if let other = life?.timeline, other != timeline.name {
            throw AsofError(.failure, "\(spool.folder) is the spool of timeline \(other), not of \(timeline.name)", hint: "give this capture a spool of its own: --spool DIR")
        }
        var before = try timeline.loadHead()
        var behind = ArchivedBehind()
        if var head = before {
            let names = try timeline.namesBehind(head)
            let archived = names.values.joined().compactMap { ObjectName.segment($0)?.epoch }.max() ?? 0
            if let old = life, !old.owns(head, archived: archived) {
                let left = try RecoveredJournal(
                    folder: spool.journalFolder, sealed: max(head.last, waiting.last?.object.last ?? .zero), anchor: root.unmanaged)
                if !waiting.isEmpty || left.last != nil {
                    let place = try spool.abandon(epoch: old.epoch)
                    report("this capture was fenced: another one (epoch \(max(head.epoch, archived))) took timeline \(timeline.name) over. What it had not archived is kept in \(place)")
                    waiting = []
                }
                life = nil
            }
            behind = try timeline.archivedBehind(head, names, before: waiting.first?.object.first)
            // The last life's own epoch is used up, too, whatever it archived.
            if head.epoch < life?.epoch ?? 0 { behind.newestEpoch = max(behind.newestEpoch, life?.epoch ?? 0) }
            try behind.bringUpToDate(&head)
            before = head
            waiting = try Self.unarchived(waiting, head: head)
        }
        let recovered = try RecoveredJournal(
            folder: spool.journalFolder, sealed: max(before?.last ?? .zero, waiting.last?.object.last ?? .zero), anchor: root.unmanaged)
        let lastSealed = waiting.last?.object ?? before?.segments.last
        // A child begins where its parent's state was.
        let sealed = CutPoint(lsn: lastSealed?.last ?? before?.last ?? .zero, time: lastSealed?.lastTime ?? before?.lastTime ?? .distantPast)
        var end = recovered.last.flatMap { $0.lsn > sealed.lsn ? CutPoint(lsn: $0.lsn, time: $0.time) : nil } ?? sealed
        end.time = max(end.time, before?.capturedUntil ?? .distantPast)
        start = end
        try Self.checkClock(after: start.time, timeline.name, report)

        // After a power cut the directory may have lost what the log kept, and the other way round, for as long as write-back takes.
        let wasCutOff = life?.wasCutOff(boot: holder.boot) ?? false
        let powerCut = wasCutOff ? start.time.advanced(byNanoseconds: -600_000_000_000).nanoseconds : nil
        // Whether an earlier comparison was interrupted this spool knows best; without its word the head does.
        var unsettled = (life != nil ? life?.unsettled : before?.unsettledSince.map { .init(since: $0) }) ?? .init(since: start)
        // A power cut can take more of the log than the last life had when it began.
        if unsettled.since.lsn > start.lsn { unsettled.since = start }
        unsettled.changedSince = [unsettled.changedSince, powerCut].compactMap { $0 }.min()
        unsettled.inFlight = Set(unsettled.inFlight).union(recovered.openInodes.map(\.rawValue)).sorted()
        if recovered.lacksDurable {
            unsettled.lost = "the journal was damaged: changes behind \(start.lsn) that it held are lost"
            report("the journal in \(spool.journalFolder) is damaged: what it held behind transaction \(start.lsn) is lost. The directory is compared with the log, and the time until then is declared a gap")
        } else if wasCutOff, unsettled.lost == nil {
            unsettled.lost = "a power cut: what was not made durable before it is lost"
        }
        self.unsettled = unsettled
        var next = CaptureLife(
            timeline: timeline.name, epoch: life == nil ? 0 : before?.epoch ?? 0, holder: holder, settled: life?.settled, unsettled: unsettled,
            gaps: Self.pruned(life?.gaps ?? [], published: before?.gaps ?? []))
        try spool.save(next)
        // Who captured on this spool last gave its lock back when it died, if that was only a moment ago.
        appender = try Appender.take(timeline, as: holder, unsettledSince: unsettled.since, behind: behind) { [before = life?.holder] other, _ in
            takeOver || other == before || other.isKnownDead
        }
        CrashPoint.reach("capture.epoch.taken")
        Self.tell(behind, timeline, report)
        next.epoch = appender.epoch
        try spool.save(next)
        self.life = Lock(next)
        isFirstScan = before?.first == nil && life?.settled == nil
        branch = before?.parent

        archiver = Archiver(appender: appender, spool: spool, keepsLocal: limits.keepsLocal, waiting: waiting, report: report)
        journal = try Journal(
            folder: spool.journalFolder, recovered: recovered,
            references: PayloadReferences(anchor: root.unmanaged, recovered: recovered.references), lastLSN: start.lsn, lastTime: start.time, clock: clock)
        sealer = Sealer(
            journal: journal, spool: spool, repository: repository, timeline: timeline.name, epoch: appender.epoch, limits: limits,
            archiver: archiver, after: (sealed.lsn, lastSealed?.hash ?? [], lastSealed?.highestInode ?? before?.highestInode ?? .root),
            firstPosition: (recovered.files.first?.sequence ?? recovered.nextSequence) * UInt64(JournalFile.length),
            voided: min(recovered.end, journal.ownStart)..<journal.ownStart, report: report
        ) { [life = self.life, archiver = self.archiver, spool] gap throws(AsofError) in
            try Self.remember(gap, life, archiver, spool)
        }
        began = journal.mark().time
        let (archiver, sealer) = (self.archiver, self.sealer)
        try Self.start("asof-archive", threads) { archiver.run() }
        try Self.start("asof-seal", threads) { sealer.run() }

        // The directory is compared with the log as it stands now, so all of it must be readable: sealed and archived.
        if recovered.hasTransactions(behind: sealed.lsn) || !waiting.isEmpty {
            report("bringing transactions up to \(start.lsn) into the repository")
            try BringingIn(sealer: sealer, archiver: archiver, spool: spool).run()
        }
        journal.forgetRecovered()
        for gap in next.gaps { archiver.add(.gap(gap)) }
        // An earlier life found the log exact, and died before the head knew.
        if let settled = life?.settled, settled.point.lsn <= start.lsn {
            archiver.add(.settled(settled.point, gap: settled.gap, thenUnsettledSince: unsettled.since))
        }
        let head = try timeline.head()
        known = try Self.view(of: timeline, head: head, report: report)
        highestInode = head.highestInode
        suspicion = Suspicion(
            inFlight: Set(unsettled.inFlight.map { InodeNumber($0) }), changedSince: unsettled.changedSince.map(Instant.init(nanoseconds:)) ?? .distantFuture)
        // The journal wakes it for every file that it takes, so the limit is looked at as often as the spool grows by one.
        try startThread("asof-spare") { [self] in
            while !isStopping.load(ordering: .relaxed) {
                journal.prepareSpares(wait: .milliseconds(200), isBehind: journal.isFarAhead)
                watchSpace()
                watchClock()
            }
        }
    }

    /// Nanoseconds that the clock may be behind the log's end, as after a step of NTP.
    private static let clockTolerance: Int64 = 60_000_000_000

    /// Times never go back along the log. Where its end lies ahead of the clock, whoever asks for an instant from now on would be shown another.
    private static func checkClock(after end: Instant, _ timeline: String, _ report: (String) -> Void) throws(AsofError) {
        let ahead = end.nanoseconds(since: SystemClock.now())
        guard ahead > 0 else { return }
        let text = "timeline \(timeline) goes until \(end), which is \(ahead / 1_000_000_000 + 1) s ahead of this host's clock"
        guard ahead > clockTolerance else { return report("\(text): what is captured until then bears that time") }
        throw AsofError(
            .failure, "\(text): what is captured now would bear times that are not yet",
            hint: "set this host's clock right; if it is, and was ahead once, capture into another timeline from now on: --timeline NAME (of a directory that was restored first: setfattr -x \(DirectoryOrigin.attribute) DIR)")
    }

    private func watchClock() {
        let ahead = journal.end.time.nanoseconds(since: SystemClock.now())
        let isBehind = ahead > (isClockBehind.load(ordering: .relaxed) ? 0 : Self.clockTolerance)
        guard isBehind != isClockBehind.exchange(isBehind, ordering: .relaxed) else { return }
        report(
            isBehind
                ? "this host's clock was set back by \(ahead / 1_000_000_000) s: until it is at \(journal.end.time) again all that is captured bears that time, and only LSNs tell the states apart. Set it right"
                : "this host's clock is right again: times go on")
    }

    static func view(of timeline: Timeline, head: Head, report: @escaping @Sendable (String) -> Void) throws(AsofError) -> View? {
        guard head.last > .zero else { return nil }
        let reader = ObjectReader(repository: timeline.repository) {
            report("\($0.message). What that base says is read from the log instead; `asof backup create --type base` makes a newer one")
        }
        return try View(Cut(lsn: head.last, time: head.lastTime), of: timeline, head: head, reader: reader)
    }

    /// Two captures of one directory, on whatever timelines: what one of two recorders passes on the other never hears of. Held as long as `root` is open.
    private static func lock(_ root: SharedDescriptor, _ backing: String) throws(AsofError) {
        // Where a file system knows no locks there is none.
        guard (try? root.withRaw({ raw throws(Errno) in try SystemCall.tryLockBehindTheDead(raw) })) == false else { return }
        throw AsofError(.locked, "\(backing) is being captured by another asof", hint: "stop that one first (`asof status`): of what goes through one of two captures the other never hears")
    }

    private static func tell(_ behind: ArchivedBehind, _ timeline: Timeline, _ report: (String) -> Void) {
        if let first = behind.segments.first, let last = behind.segments.last {
            report("timeline \(timeline.name): transactions \(first.first) to \(last.last) are archived, and its head did not know of them (an older copy of the head was put back, or a spool was lost). They are taken up again; as gaps that were found then are not known, the time from \(first.firstTime) to \(last.lastTime) is declared one")
        }
        if let stranger = behind.stranger {
            report("timeline \(timeline.name): \(stranger) lies behind its head and is of a capture that was fenced, or cannot be read: it is left as it is")
        }
    }

    /// The segments that the head does not have yet.
    private static func unarchived(_ segments: [SpooledSegment], head: Head) throws(AsofError) -> [SpooledSegment] {
        segments.filter { segment in
            guard head.segments.contains(where: { $0.id == segment.object.id }) else { return true }
            try? SystemCall.unlink(segment.path)
            return false
        }
    }

    /// A thread that `stop` waits for.
    func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) throws(AsofError) {
        try Self.start(name, threads, body)
    }

    private static func start(_ name: String, _ threads: Lock<[NamedThread]>, _ body: @escaping @Sendable () -> Void) throws(AsofError) {
        do throws(Errno) {
            let thread = try NamedThread(name, body)
            threads.withLock { $0.append(thread) }
        } catch {
            throw AsofError(error, "cannot start a thread")
        }
    }

    // MARK: Settling

    /// The directory was compared with the log, all of it: remembers, and tells the head, that the log is exact from its end on.
    func settle(_ outcome: Reconciler.Outcome) throws(AsofError) {
        // The comparison is over, and nothing like it comes again in this life.
        defer {
            known?.forgetCached()
            ProcessMemory.giveBack()
        }
        if journal.end.lsn == .zero {
            // An empty directory: its first state needs a transaction to stand on.
            let status: FileStatus
            do throws(Errno) { status = try SystemCall.status(root.unmanaged) } catch { throw AsofError(error, "cannot read the directory") }
            try journal.commit(try journal.begin([.root]), .reconcile, [.attributes(.root, status.attributes, isBorn: false)])
        }
        let end = journal.mark()
        let point = CutPoint(lsn: end.lsn, time: end.time)
        let settlement = CaptureLife.Settlement(point: point, gap: gap(outcome, before: point))
        // First the log up to `point`, then the word that it is exact: neither waits for the store.
        try journal.synchronize()
        try life.withLock { life throws(AsofError) in
            life.settled = settlement
            life.unsettled = nil
            try spool.save(life)
        }
        // Sealed first: the head must not speak of a transaction that it does not have.
        guard sealer.seal(timeout: .seconds(3600)) else { return }
        archiver.add(.settled(point, gap: settlement.gap, thenUnsettledSince: nil))
    }

    /// What must be declared once the directory was compared; nil: every cut is a state that was there.
    private func gap(_ outcome: Reconciler.Outcome, before point: CutPoint) -> Gap? {
        guard !isFirstScan else { return nil }
        if unsettled.since.lsn != start.lsn {
            return Gap(after: unsettled.since, before: point, reason: "a comparison of the directory with the log was interrupted")
        }
        // What both the log and the directory lost, clients have seen.
        if let lost = unsettled.lost { return Gap(after: start, before: point, reason: lost) }
        if outcome.unexplained > 0, start.lsn == branch?.lsn {
            return Gap(
                after: start, before: point,
                reason: "a restored directory, before its first capture: \(outcome.unexplained) files or directories differed, if only in their times")
        }
        if outcome.unexplained > 0 {
            return Gap(
                after: start, before: point, reason: "changed while nothing captured: \(outcome.unexplained) files or directories differed")
        }
        // Changes in flight at a crash were never acknowledged: until this life began, the state before them is as good as any. From then on
        // clients could see them, and the log did not have them yet.
        guard outcome.transactions > 0 else { return nil }
        return Gap(
            after: CutPoint(lsn: start.lsn, time: max(start.time, began)), before: point,
            reason: "changes in flight at a crash were brought into the log")
    }

    /// States between two points are not to be trusted: remembered here at once, and by the head with the next segment.
    func declare(_ gap: Gap) throws(AsofError) { try Self.remember(gap, life, archiver, spool) }

    /// An older copy of the head may be put back, so the newest ones are kept though they are published.
    private static func pruned(_ gaps: [Gap], published: [Gap]) -> [Gap] {
        let surplus = gaps.count - 256
        return surplus <= 0 ? gaps : gaps.enumerated().filter { $0.offset >= surplus || !published.contains($0.element) }.map(\.element)
    }

    private static func remember(_ gap: Gap, _ life: Lock<CaptureLife>, _ archiver: Archiver, _ spool: Spool) throws(AsofError) {
        let published = archiver.head.gaps
        try life.withLock { life throws(AsofError) in
            life.gaps = pruned(life.gaps, published: published)
            guard !published.contains(gap), !life.gaps.contains(gap) else { return }
            life.gaps.append(gap)
            try spool.save(life)
        }
        archiver.add(.gap(gap))
    }

    // MARK: Running

    /// True when there is no room for the log: nothing more can be captured until the repository answers.
    var isFull: Bool { isOutOfSpace.load(ordering: .relaxed) }

    private func watchSpace() {
        let used = spool.usedBytes()
        let isFull = used >= limits.spoolLimit
        // What is sealed and archived needs no spool: before the limit stops anybody, that is tried.
        if used >= limits.spoolLimit / 2 { sealer.requestSeal() }
        if isFull != isOutOfSpace.exchange(isFull, ordering: .relaxed) {
            report(
                isFull
                    ? "the spool \(spool.folder) has reached its limit (\(used) bytes): nothing more is captured until the repository answers (under record, changes fail with ENOSPC)"
                    : "the spool has room again: capturing goes on")
        }
    }

    /// True when another capture took the timeline over: this one must end.
    var isFenced: Bool { archiver.isFenced }

    /// Seals and archives everything that was acknowledged before the call. Returns the head then.
    func sealNow(timeout: Duration) throws(AsofError) -> Head {
        guard sealer.seal(timeout: timeout), archiver.waitUntilPublished(timeout: timeout) else {
            throw archiver.trouble
                ?? AsofError(.unavailable, sealer.trouble ?? "the repository did not take the last segment in time", hint: "`asof status` says more")
        }
        return archiver.head
    }

    /// Ends the capture. False: something could not be archived and waits in the spool.
    func stop() -> Bool {
        let isSealed = sealer.stop()
        let isArchived = archiver.stop(patience: .seconds(60)) && isSealed
        isStopping.store(true, ordering: .relaxed)
        for thread in threads.withLock({ $0 }) { thread.join() }
        guard isArchived else { return false }
        // The journal is the last witness of what a power cut may take from the directory.
        do throws(Errno) { try SystemCall.syncFileSystem(root.unmanaged) } catch {
            report("the directory could not be made durable: \(error.text). The journal is kept, and the next start compares again")
            return false
        }
        journal.removeFiles()
        do throws(AsofError) {
            try life.withLock { life throws(AsofError) in
                life.hasEnded = true
                try spool.save(life)
            }
            try appender.release()
        } catch { report("the timeline could not be given back: \(error.description)") }
        return true
    }
}

extension RecoveredJournal {
    func hasTransactions(behind lsn: LSN) -> Bool { (last?.lsn ?? .zero) > lsn }
}

extension Holder {
    static func current() throws(AsofError) -> Holder {
        do throws(Errno) {
            let identity = try ProcessIdentity.current()
            return Holder(
                host: identity.host, process: identity.pid, started: identity.startTicks, boot: identity.bootID, namespace: identity.namespace,
                since: SystemClock.now().secondsDescription)
        } catch {
            throw AsofError(error, "cannot tell which process this is")
        }
    }

    /// True when it cannot write any more for sure. Of another host or container only a person can know.
    package var isKnownDead: Bool {
        let identity = ProcessIdentity(pid: process, startTicks: started, bootID: boot, host: host, namespace: namespace)
        return (try? identity.liveness()) == .dead
    }
}
