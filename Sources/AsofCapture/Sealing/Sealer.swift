internal import AsofCore
internal import AsofFormat
internal import AsofFrame
internal import AsofRepository
internal import AsofSystem
internal import Glibc

/// Follows the journal and turns it into sealed segments: one named thread, the only one that touches the open segment.
///
/// The spool file is the segment being built. After a crash it is void: the journal is kept until the segment is sealed and durable.
final class Sealer: @unchecked Sendable {
    // Invariant behind @unchecked Sendable: everything below `requests` belongs to the sealer's thread alone, once `start` was called.

    private struct Requests {
        /// Seal everything up to this position.
        var sealUpTo: Journal.Position = 0
        var isStopping = false
        var isDone = false
        /// The last seal, at the end, succeeded.
        var hasSealedAll = false
        /// Sealed and handed to the archiver.
        var sealed: Journal.End?
        var trouble: String?
    }

    private let requests = Monitor(Requests())
    private let journal: Journal
    private let spool: Spool
    private let repository: Repository
    private let timeline: String
    private let epoch: UInt64
    private let limits: CaptureLimits
    private let archiver: Archiver
    /// Of an earlier life's journal: what never counted.
    private let voided: Range<Journal.Position>
    /// Remembers and publishes a gap.
    private let declare: (Gap) throws(AsofError) -> Void
    /// One line for the operator.
    private let report: @Sendable (String) -> Void

    private var position: Journal.Position
    private var lastSealed: LSN
    private var previousHash: [UInt8]
    private var highestInode: InodeNumber
    private var builder: SegmentBuilder?
    private var file: SharedDescriptor?
    private var path = ""
    private var openedAt: UInt64 = 0
    private var settled: [UInt64: Int] = [:]
    /// Intents of the open segment's transactions that refer to their payload.
    private var referring: [Journal.Position] = []
    private var lastMark: UInt64 = 0
    private var notes = TroubleNotes("what is captured cannot be sealed", relief: "what is captured is sealed again")

    init(
        journal: Journal, spool: Spool, repository: Repository, timeline: String, epoch: UInt64, limits: CaptureLimits,
        archiver: Archiver, after last: (lsn: LSN, hash: [UInt8], highestInode: InodeNumber), firstPosition: Journal.Position,
        voided: Range<Journal.Position>, report: @escaping @Sendable (String) -> Void = { _ in }, declare: @escaping (Gap) throws(AsofError) -> Void
    ) {
        self.journal = journal
        self.spool = spool
        self.repository = repository
        self.timeline = timeline
        self.epoch = epoch
        self.limits = limits
        self.archiver = archiver
        lastSealed = last.lsn
        previousHash = last.hash
        highestInode = last.highestInode
        position = firstPosition
        self.voided = voided
        self.report = report
        self.declare = declare
    }

    // MARK: From other threads

    /// Asks for everything that was committed before the call to be sealed; returns when it is in the spool, durable, and queued.
    func seal(timeout: Duration) -> Bool {
        let end = journal.mark()
        requests.withLock { $0.sealUpTo = max($0.sealUpTo, end.position) }
        requests.broadcast()
        _ = requests.wait(timeout: timeout) { ($0.sealed?.position ?? 0) >= end.position || $0.isDone }
        return requests.withLock { ($0.sealed?.position ?? 0) >= end.position }
    }

    /// Asks for the same and does not wait.
    func requestSeal() {
        let end = journal.end.position
        requests.withLock { $0.sealUpTo = max($0.sealUpTo, end) }
        requests.broadcast()
    }

    /// Ends the thread after a last seal. False: that failed, or took longer than `patience` (nil: as long as it takes), and the journal must stay.
    func stop(patience: Duration? = nil) -> Bool {
        requests.withLock { $0.isStopping = true }
        requests.broadcast()
        return requests.take(timeout: patience) { $0.isDone ? $0.hasSealedAll : nil } ?? false
    }

    var trouble: String? { requests.withLock { $0.trouble } }

    // MARK: The thread

    func run() {
        lastMark = SystemClock.monotonicNanoseconds()
        while true {
            let (wanted, isStopping) = requests.withLock { ($0.sealUpTo, $0.isStopping) }
            let isAsked = wanted > (requests.withLock { $0.sealed?.position } ?? 0)
            let now = SystemClock.monotonicNanoseconds()
            let isDue = now &- lastMark >= UInt64(max(1, limits.interval))
            let end = isAsked || isDue || isStopping ? journal.mark() : journal.end
            var isSealed = retrying { () throws(AsofError) in try self.follow(upTo: end.position) }
            if isAsked || isDue || isStopping {
                isSealed = isSealed && retrying { () throws(AsofError) in try self.sealOpenSegment() }
                if isSealed {
                    lastMark = now
                    archiver.add(.capturedUntil(CutPoint(lsn: end.lsn, time: end.time)))
                    requests.withLock { $0.sealed = end }
                    requests.broadcast()
                }
            }
            // What came to nothing needs no segment.
            if builder == nil { release() }
            if isStopping {
                requests.withLock { requests in
                    requests.isDone = true
                    requests.hasSealedAll = isSealed
                }
                requests.broadcast()
                return
            }
            _ = requests.wait(timeout: .milliseconds(50)) { $0.isStopping || $0.sealUpTo > ($0.sealed?.position ?? 0) }
        }
    }

    /// Repeats what a full or failing disk stopped; each step leaves its state so that it can be repeated. False: given up, at the end.
    private func retrying(_ body: () throws(AsofError) -> Void) -> Bool {
        while true {
            do throws(AsofError) {
                try body()
                requests.withLock { $0.trouble = nil }
                if let line = notes.succeeded(at: SystemClock.monotonicNanoseconds()) { report(line) }
                return true
            } catch {
                requests.withLock { $0.trouble = error.description }
                if let line = notes.failed(error.message, at: SystemClock.monotonicNanoseconds()) { report(line) }
                if requests.withLock({ $0.isStopping }) { return false }
                SystemClock.sleep(.seconds(1))
            }
        }
    }

    /// Takes the journal's records up to `end` into the open segment.
    private func follow(upTo end: Journal.Position) throws(AsofError) {
        // What a failure interrupted comes first: a segment with its tail takes nothing more.
        if summary != nil { try sealOpenSegment() }
        try flushPending()
        let length = UInt64(JournalFile.length)
        while position < end {
            if voided.contains(position) {
                position = voided.upperBound
                continue
            }
            guard let file = journal.firstFile(from: position / length) else { return }
            if file.sequence > position / length { position = file.sequence * length }
            if position % length == 0 { position += UInt64(JournalFile.headerLength) }
            let offset = Int(position % length)
            guard let header = JournalRecord.header(file.base, offset: offset, limit: JournalFile.length, sequence: file.sequence),
                header.kind != .end
            else {
                if file.sequence >= end / length { return }
                journal.leave(file)
                position = (file.sequence + 1) * length
                continue
            }
            let body = UnsafeRawBufferPointer(
                start: file.base + offset + JournalRecord.headerLength, count: header.length - JournalRecord.headerLength)
            switch header.kind {
            case .commit: try take(commit: body)
            case .abort: settle(abort: body)
            case .intent, .redo, .kept, .promise, .end: break
            }
            // Before anything that can fail: the record is in the group, and must not be taken again.
            position += UInt64(JournalRecord.padded(header.length))
            if header.kind == .commit { try closeWhatIsFull() }
        }
        try closeGroup(ifOlderThan: 1_000_000_000)
    }

    private func closeWhatIsFull() throws(AsofError) {
        guard let builder else { return }
        if builder.isGroupFull { try closeGroup(ifOlderThan: 0) }
        if builder.length >= limits.segmentSize || builder.transactionCount >= limits.transactions { try sealOpenSegment() }
    }

    private func settle(abort body: UnsafeRawBufferPointer) {
        var reader = ByteReader(Array(body))
        if let intent = try? reader.fixed64() { settled[intent / UInt64(JournalFile.length), default: 0] += 1 }
    }

    private func take(commit body: UnsafeRawBufferPointer) throws(AsofError) {
        let commit: JournalCodec.Commit
        do throws(FormatError) { commit = try JournalCodec.decodeCommit(body, payload: { position throws(FormatError) in try payload(of: position) }) } catch {
            throw AsofError(.damaged, "the journal is damaged in memory: \(error)")
        }
        // Only what an earlier life wrote can be here twice.
        guard commit.lsn > max(lastSealed, builder?.last ?? .zero) else { return settle(commit.intents + commit.parts) }
        let builder = try openBuilder(at: commit.lsn)
        let transaction = Transaction(lsn: commit.lsn, time: commit.time, verb: commit.verb, operations: commit.operations)
        let count = transaction.payloadLength
        if commit.reference != nil {
            try referredPayload(of: commit).withUnsafeBytes { builder.append(transaction, payload: $0) }
            referring += commit.intents
        } else if count == 0 {
            builder.append(transaction, payload: UnsafeRawBufferPointer(start: nil, count: 0))
        } else if let intent = commit.intents.first, commit.intents.count == 1 {
            // A write of a client may have come to less than its intent.
            let payload = try payload(of: intent, commit.lsn)
            guard count <= payload.count else { throw lacking(commit.lsn) }
            builder.append(transaction, payload: UnsafeRawBufferPointer(rebasing: payload[..<count]))
        } else {
            let parts = try commit.intents.map { intent throws(AsofError) in try payload(of: intent, commit.lsn) }
            guard parts.reduce(0, { $0 + $1.count }) == count else { throw lacking(commit.lsn) }
            // They stay where they are: the journal's files are kept until the segment is sealed.
            builder.append(transaction, kept: parts)
        }
        settle(commit.intents + commit.parts)
    }

    private func lacking(_ lsn: LSN) -> AsofError { AsofError(.damaged, "the journal lacks bytes of transaction \(lsn)") }

    private func payload(of intent: Journal.Position, _ lsn: LSN) throws(AsofError) -> UnsafeRawBufferPointer {
        do throws(FormatError) { return try payload(of: intent) } catch { throw lacking(lsn) }
    }

    /// The bytes that an intent carries.
    private func payload(of intent: Journal.Position) throws(FormatError) -> UnsafeRawBufferPointer {
        guard let file = journal.file(at: intent) else { throw FormatError("an intent is not in the journal any more") }
        return try file.payload(at: Int(intent % UInt64(JournalFile.length)))
    }

    /// The bytes that a transaction refers to, from its file.
    private func referredPayload(of commit: JournalCodec.Commit) throws(AsofError) -> [UInt8] {
        let (bytes, isIntact) = try journal.references.bytes(of: commit.intents.first ?? 0, in: journal)
        if !isIntact {
            // Only somebody who works in the backing directory itself can have changed them. What stands there now is right from now on.
            let end = journal.mark()
            let start = changedBehind?.after ?? CutPoint(lsn: commit.lsn.previous, time: commit.time.advanced(byNanoseconds: -1))
            changedBehind = (start, CutPoint(lsn: max(end.lsn, commit.lsn), time: end.time))
        }
        return bytes
    }

    /// From before the first such transaction of the open segment until the bytes of the last were read: a gap, declared before it is sealed.
    private var changedBehind: (after: CutPoint, before: CutPoint)?

    private func declareChangedBehind() throws(AsofError) {
        guard let (after, before) = changedBehind else { return }
        try declare(Gap(after: after, before: before, reason: "bytes were changed in the backing directory, behind the mount"))
        changedBehind = nil
    }

    private func settle(_ intents: [Journal.Position]) {
        for intent in intents { settled[intent / UInt64(JournalFile.length), default: 0] += 1 }
    }

    // MARK: The open segment

    private var groupOpenedAt: UInt64 = 0
    /// Bytes that belong at the end of the file, and could not be written yet.
    private var pending: (bytes: [UInt8], offset: UInt64)?

    private func openBuilder(at first: LSN) throws(AsofError) -> SegmentBuilder {
        if let builder {
            if builder.isGroupEmpty { groupOpenedAt = SystemClock.monotonicNanoseconds() }
            return builder
        }
        let header = ObjectHeader(kind: .segment, id: .random(), first: first, epoch: epoch)
        path = "\(spool.segmentsFolder)/building-\(header.id)"
        do throws(Errno) { file = SharedDescriptor(try SystemCall.open(path, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)) } catch {
            throw AsofError(error, "cannot make the segment \(path)")
        }
        let new = SegmentBuilder(
            header: header, timeline: timeline, previousHash: previousHash, highestInode: highestInode,
            sealer: repository.sealer(for: header.id), compression: repository.configuration.compression)
        pending = (new.begin(), 0)
        builder = new
        openedAt = SystemClock.monotonicNanoseconds()
        groupOpenedAt = openedAt
        return new
    }

    private func closeGroup(ifOlderThan age: UInt64) throws(AsofError) {
        guard let builder, !builder.isGroupEmpty, SystemClock.monotonicNanoseconds() &- groupOpenedAt >= age else { return }
        try builder.closeGroup { bytes, offset in
            stage(bytes, at: offset)
            // Here, for what one transaction holds must not gather in memory while the disk is full.
            _ = retrying { () throws(AsofError) in try flushPending() }
        }
        try flushPending()
    }

    private func stage(_ bytes: [UInt8], at offset: UInt64) {
        if let waiting = pending { pending = (waiting.bytes + bytes, waiting.offset) } else { pending = (bytes, offset) }
    }

    private func flushPending() throws(AsofError) {
        guard let waiting = pending, let file else { return }
        CrashPoint.reach("spool.append.before")
        do throws(Errno) {
            try file.withRaw { raw throws(Errno) in try SystemCall.writeFully(raw, at: waiting.offset, waiting.bytes) }
        } catch {
            throw AsofError(error, "cannot write to the spool \(path)")
        }
        pending = nil
        CrashPoint.reach("spool.append.after")
    }

    /// Set once the index and tail are staged: sealing goes on where it stopped.
    private var summary: SealedObject?

    private func sealOpenSegment() throws(AsofError) {
        guard let builder, let file, !builder.isEmpty else { return }
        if summary == nil {
            try closeGroup(ifOlderThan: 0)
            let offset = builder.length
            stage(try builder.seal(), at: offset)
            summary = builder.summary()
        }
        try flushPending()
        try declareChangedBehind()
        guard let summary else { return }
        CrashPoint.reach("spool.seal.before")
        let name = "segment-\(summary.first)-\(summary.last).\(summary.epoch)"
        let sealedPath = "\(spool.segmentsFolder)/\(name)"
        do throws(Errno) {
            if path != sealedPath {
                try file.withRaw { raw throws(Errno) in try SystemCall.syncData(raw) }
                CrashPoint.reach("spool.seal.synced")
                try SystemCall.rename(at: AT_FDCWD, path, to: AT_FDCWD, sealedPath)
                CrashPoint.reach("spool.seal.renamed")
                path = sealedPath
            }
            try Durable.syncDirectory(spool.segmentsFolder)
        } catch {
            throw AsofError(error, "cannot seal \(path)")
        }
        CrashPoint.reach("spool.seal.after")
        archiver.add(.segment(SpooledSegment(object: summary, path: sealedPath)))
        lastSealed = summary.last
        previousHash = summary.hash
        highestInode = summary.highestInode
        self.builder = nil
        self.file = nil
        self.summary = nil
        release()
        journal.references.drop(referring)
        referring = []
    }

    private func release() {
        journal.release(before: position, settled: settled)
        settled = [:]
    }
}
