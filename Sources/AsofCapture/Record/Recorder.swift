package import AsofCore
internal import AsofFormat
package import AsofRepository
internal import AsofStore
internal import AsofSystem
internal import AsofView
internal import Glibc
internal import Synchronization

/// A running `record`: takes the timeline, brings back what an earlier life left, and captures until it is stopped.
package final class Recorder: Sendable {
    package let fileSystem: RecordFileSystem
    private let repository: Repository
    private let timeline: Timeline
    private let spool: Spool
    private let spoolLock: SharedDescriptor
    private let limits: CaptureLimits
    private let appender: Appender
    private let journal: Journal
    private let sealer: Sealer
    private let archiver: Archiver
    private let reconciler: Reconciler
    private let threads = Lock<[NamedThread]>([])
    private let isStopping = Atomic<Bool>(false)
    private let comparison = Monitor<Comparison>(.running)
    /// Where the log ended before this life: what came after it is exact once the comparison is over.
    private let start: CutPoint
    private let unsettled: CaptureLife.Unsettled
    /// No state was recoverable before this life's comparison.
    private let isFirstScan: Bool
    private let life: Lock<CaptureLife>
    /// Intents that an earlier life left open, by journal file: kept until their files were compared.
    private let openIntents: [UInt64: Int]
    /// When this life began to capture.
    private let began: Instant
    private let report: @Sendable (String) -> Void

    private enum Comparison { case running, done(Reconciler.Outcome), failed(AsofError) }

    /// Opens everything; nothing is served yet. `report`: one line for the operator.
    package init(
        backing: String, repository: Repository, timeline: Timeline, spool: Spool, limits: CaptureLimits, takeOver: Bool,
        report: @escaping @Sendable (String) -> Void
    ) throws(AsofError) {
        self.repository = repository
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
        try spool.prepare()
        let holder = try Holder.current()
        spoolLock = try spool.lock(holder: holder.description)

        // What is here already, before anything is changed.
        let before = try timeline.loadHead()
        var waiting = try spool.sealedSegments(repository: repository)
        if let head = before { waiting = try Self.unarchived(waiting, head: head) }
        var recovered = try RecoveredJournal(
            folder: spool.journalFolder, sealed: max(before?.last ?? .zero, waiting.last?.object.last ?? .zero), anchor: root.unmanaged)
        var life = try spool.loadLife()
        if let old = life, let head = before, !old.owns(head) {
            if !waiting.isEmpty || recovered.hasTransactions(behind: head.last) {
                let place = try spool.abandon(epoch: old.epoch)
                report("this capture was fenced: another one (epoch \(head.epoch)) took timeline \(timeline.name) over. What it had not archived is kept in \(place)")
                waiting = []
                recovered = try RecoveredJournal(folder: spool.journalFolder, sealed: head.last, anchor: root.unmanaged)
            }
            life = nil
        }
        let lastSealed = waiting.last?.object ?? before?.segments.last
        let sealed = CutPoint(lsn: lastSealed?.last ?? .zero, time: lastSealed?.lastTime ?? .distantPast)
        var known = recovered.last.flatMap { $0.lsn > sealed.lsn ? CutPoint(lsn: $0.lsn, time: $0.time) : nil } ?? sealed
        known.time = max(known.time, before?.capturedUntil ?? .distantPast)
        start = known

        // After a power cut the directory may have lost what the log kept, and the other way round, for as long as write-back takes.
        let wasCutOff = life?.wasCutOff(boot: holder.boot) ?? false
        let powerCut = wasCutOff ? known.time.advanced(byNanoseconds: -600_000_000_000).nanoseconds : nil
        // Whether an earlier comparison was interrupted this spool knows best; without its word the head does.
        var unsettled = (life != nil ? life?.unsettled : before?.unsettledSince.map { .init(since: $0) }) ?? .init(since: known)
        unsettled.changedSince = [unsettled.changedSince, powerCut].compactMap { $0 }.min()
        self.unsettled = unsettled
        var next = CaptureLife(epoch: life?.epoch ?? 0, holder: holder, settled: life?.settled, unsettled: unsettled)
        try spool.save(next)
        appender = try Appender.take(timeline, as: holder, unsettledSince: unsettled.since) { other, _ in takeOver || other.isKnownDead }
        CrashPoint.reach("capture.epoch.taken")
        next.epoch = appender.epoch
        try spool.save(next)
        self.life = Lock(next)
        isFirstScan = before?.first == nil && life?.settled == nil
        openIntents = recovered.openIntents

        archiver = Archiver(appender: appender, spool: spool, keepsLocal: limits.keepsLocal, waiting: waiting)
        journal = try Journal(
            folder: spool.journalFolder, recovered: recovered,
            references: PayloadReferences(anchor: root.unmanaged, recovered: recovered.references), lastLSN: known.lsn, lastTime: known.time)
        sealer = Sealer(
            journal: journal, spool: spool, repository: repository, timeline: timeline.name, epoch: appender.epoch, limits: limits,
            archiver: archiver, after: (sealed.lsn, lastSealed?.hash ?? [], lastSealed?.highestInode ?? .root),
            firstPosition: (recovered.files.first?.sequence ?? recovered.nextSequence) * UInt64(JournalFile.length))
        began = journal.mark().time
        let archiver = self.archiver
        let sealer = self.sealer
        try Self.start("asof-archive", threads) { archiver.run() }
        try Self.start("asof-seal", threads) { sealer.run() }

        // The directory is compared with the log as it stands now, so all of it must be readable: sealed and archived.
        if recovered.hasTransactions(behind: sealed.lsn) || !waiting.isEmpty {
            report("bringing transactions up to \(known.lsn) into the repository")
            guard sealer.seal(timeout: .seconds(600)), archiver.waitUntilPublished(timeout: .seconds(600)) else {
                throw archiver.trouble ?? AsofError(.unavailable, "what the spool \(spool.folder) holds could not be archived")
            }
        }
        // An earlier life found the log exact, and died before the head knew.
        if let settled = life?.settled, settled.point.lsn <= known.lsn {
            archiver.add(.settled(settled.point, gap: settled.gap, thenUnsettledSince: unsettled.since))
        }
        let head = try timeline.head()
        let view = try Self.view(of: timeline, head: head)
        do throws(Errno) {
            let table = try NodeTable(root: root, known: view, highestInode: head.highestInode)
            fileSystem = RecordFileSystem(table: table, journal: journal)
        } catch {
            throw AsofError(error, "cannot read \(backing)")
        }
        let suspicion = Reconciler.Suspicion(
            inFlight: recovered.openInodes,
            changedSince: unsettled.changedSince.map(Instant.init(nanoseconds:)) ?? .distantFuture)
        let journal = self.journal
        reconciler = Reconciler(table: fileSystem.table, journal: journal, known: view, suspicion: suspicion) {
            while journal.fileCount > 64 { SystemClock.sleep(.milliseconds(20)) }
        }
    }

    private static func view(of timeline: Timeline, head: Head) throws(AsofError) -> View? {
        guard let last = head.segments.last else { return nil }
        let reader = ObjectReader(repository: timeline.repository)
        return try View(Cut(lsn: last.last, time: last.lastTime), of: timeline, head: head, reader: reader)
    }

    /// The segments that the head does not have yet.
    private static func unarchived(_ segments: [SpooledSegment], head: Head) throws(AsofError) -> [SpooledSegment] {
        segments.filter { segment in
            guard head.segments.contains(where: { $0.id == segment.object.id }) else { return true }
            try? SystemCall.unlink(segment.path)
            return false
        }
    }

    private static func start(_ name: String, _ threads: Lock<[NamedThread]>, _ body: @escaping @Sendable () -> Void) throws(AsofError) {
        do throws(Errno) {
            let thread = try NamedThread(name, body)
            threads.withLock { $0.append(thread) }
        } catch {
            throw AsofError(error, "cannot start a thread")
        }
    }

    // MARK: Running

    /// Starts comparing behind the mount, and waits for a short comparison: after a restart the first request then finds everything settled.
    package func begin() throws(AsofError) {
        try Self.start("asof-compare", threads) { [self] in compare() }
        try Self.start("asof-spare", threads) { [self] in
            while !isStopping.load(ordering: .relaxed) { journal.prepareSpares(wait: .milliseconds(200)) }
        }
        try Self.start("asof-space", threads) { [self] in
            while !isStopping.load(ordering: .relaxed) {
                watchSpace()
                SystemClock.sleep(.milliseconds(500))
            }
        }
        if start.lsn > .zero { _ = comparison.wait(timeout: .seconds(2)) { if case .running = $0 { false } else { true } } }
    }

    private func compare() {
        do throws(AsofError) {
            guard let outcome = try reconciler.run() else { return }
            let end = journal.end
            var point = CutPoint(lsn: end.lsn, time: end.time)
            if end.lsn == .zero {
                // An empty directory: its first state needs a transaction to stand on.
                let status: FileStatus
                do throws(Errno) { status = try fileSystem.table.root.status() } catch { throw AsofError(error, "cannot read the directory") }
                let intent = try journal.begin([.root])
                let lsn = try journal.commit(intent, .reconcile, [.attributes(.root, status.attributes, isBorn: false)])
                point = CutPoint(lsn: lsn, time: journal.end.time)
            }
            try settle(outcome, point)
            comparison.withLock { $0 = .done(outcome) }
        } catch {
            report("the directory could not be compared with the log: \(error.description). Nothing captured since the start can be mounted until a restart succeeds")
            comparison.withLock { $0 = .failed(error) }
        }
        comparison.broadcast()
    }

    /// Remembers, and tells the head, that the log is exact from `point` on.
    private func settle(_ outcome: Reconciler.Outcome, _ point: CutPoint) throws(AsofError) {
        let settlement = CaptureLife.Settlement(point: point, gap: gap(outcome, before: point))
        // First the log up to `point`, then the word that it is exact: neither waits for the store.
        try journal.synchronize()
        try life.withLock { life throws(AsofError) in
            life.settled = settlement
            life.unsettled = nil
            try spool.save(life)
        }
        journal.release(before: 0, settled: openIntents)
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
        if outcome.unexplained > 0 {
            return Gap(
                after: start, before: point, reason: "changed while nothing captured: \(outcome.unexplained) files or directories differed")
        }
        // Changes in flight at a crash were never acknowledged: until this life began, the state before them is as good as any. Only the
        // moments while they were brought in, one after the other, are not.
        guard outcome.transactions > 0, point.lsn > start.lsn.next else { return nil }
        return Gap(
            after: CutPoint(lsn: start.lsn, time: max(start.time, began)), before: point,
            reason: "changes in flight at a crash were brought into the log")
    }

    private func watchSpace() {
        let used = spool.usedBytes()
        let isFull = used >= limits.spoolLimit
        if isFull != fileSystem.isFull.exchange(isFull, ordering: .relaxed) {
            report(
                isFull
                    ? "the spool \(spool.folder) has reached its limit (\(used) bytes): changes are refused with ENOSPC until the repository answers"
                    : "the spool has room again: changes are accepted")
        }
    }

    /// True when another capture took the timeline over: this one must end.
    package var isFenced: Bool { archiver.isFenced }

    /// Seals and archives everything that was acknowledged before the call. Returns the head then.
    package func sealNow(timeout: Duration) throws(AsofError) -> Head {
        _ = comparison.wait(timeout: timeout) { if case .running = $0 { false } else { true } }
        guard sealer.seal(timeout: timeout), archiver.waitUntilPublished(timeout: timeout) else {
            throw archiver.trouble
                ?? AsofError(.unavailable, sealer.trouble ?? "the repository did not take the last segment in time", hint: "`asof status` says more")
        }
        return archiver.head
    }

    /// Ends the capture after the mount is gone. False: something could not be archived and waits in the spool.
    package func stop() -> Bool {
        reconciler.cancel()
        sealer.stop()
        let isArchived = archiver.stop(patience: .seconds(60))
        isStopping.store(true, ordering: .relaxed)
        for thread in threads.withLock({ $0 }) { thread.join() }
        guard isArchived else { return false }
        // The journal is the last witness of what a power cut may take from the directory.
        do throws(Errno) { try SystemCall.syncFileSystem(fileSystem.table.root.raw) } catch {
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

    package var status: RecorderStatus {
        let end = journal.end
        let head = archiver.head
        let (segments, bytes) = archiver.waiting
        let comparing: String
        switch comparison.withLock({ $0 }) {
        case .running: comparing = "running"
        case .done: comparing = "done"
        case .failed(let error): comparing = "failed: \(error.message)"
        }
        let outcome = reconciler.outcome
        return RecorderStatus(
            process: getpid(), epoch: appender.epoch, lastTransaction: end.lsn.rawValue, lastTime: end.time.description,
            archivedTransaction: head.last.rawValue, archivedUntil: head.capturedUntil.description, waitingSegments: segments,
            waitingBytes: bytes, spoolBytes: spool.usedBytes(), spoolLimit: limits.spoolLimit, comparison: comparing,
            compared: outcome.visited, comparedBytes: outcome.bytes, differences: outcome.different,
            trouble: [sealer.trouble, archiver.trouble?.message].compactMap { $0 }.first)
    }
}

/// What `asof status` asks a running recorder for.
package struct RecorderStatus: Codable, Sendable {
    package var process: Int32
    package var epoch: UInt64
    package var lastTransaction: UInt64
    package var lastTime: String
    package var archivedTransaction: UInt64
    package var archivedUntil: String
    package var waitingSegments: Int
    package var waitingBytes: UInt64
    package var spoolBytes: UInt64
    package var spoolLimit: UInt64
    /// `running`, `done` or `failed: …`.
    package var comparison: String
    package var compared: Int
    package var comparedBytes: UInt64
    package var differences: Int
    /// What goes wrong now; nil: nothing.
    package var trouble: String?
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
    var isKnownDead: Bool {
        let identity = ProcessIdentity(pid: process, startTicks: started, bootID: boot, host: host, namespace: namespace)
        return (try? identity.liveness()) == .dead
    }
}
