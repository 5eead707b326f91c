internal import AsofCore
internal import AsofFormat
internal import AsofSystem
internal import CLinux
internal import Glibc
internal import Synchronization

/// The write-ahead log of a recorder: survives `kill -9` as it is, and a power cut up to the last `synchronize`.
///
/// A change is three steps: `begin` writes its intent (with the bytes of a write), the caller changes the directory, `commit` gives it its
/// LSN and time. Intents are written side by side; commits one after the other, so everything below a given LSN is whole when its commit
/// returns. Records lie in mapped files of 8 MiB, one after the other; a record never spans two.
///
/// Concurrency: `order` guards the end of the log, LSNs and times, and is held for a copy of some 100 bytes; `syncing` is held across
/// fdatasync and taken before `order`. A reader (the sealer) follows behind `end`, which is published after a record's header is written.
final class Journal: Sendable {
    /// Where a record stands: file sequence × file length + offset.
    typealias Position = UInt64

    struct Order {
        var file: JournalFile
        /// Where the next record goes.
        var offset: Int
        var lastLSN: LSN
        var lastTime: Instant
        /// Reserved and not yet filled: what is there is not whole, and not durable by any pass over the files.
        var unfilled: Set<Position> = []
        /// Intents with a plan, until their outcome is written.
        var planned: Set<Position> = []
        /// A file's name in the folder is new since the folder was made durable.
        var hasNewName = true
        /// What the newest pass promised, until a record says so: the next one that is written anyway, or a log at rest would never rest.
        var promise: Position?
        /// Kept for commits and aborts, which must not fail: what they speak of is done.
        var emergency: JournalFile?
        /// Intents whose outcome is not yet sealed, by file: such a file must stay.
        var unsealedIntents: [UInt64: Int] = [:]
        /// Files that hold something, oldest first; the last is `file`.
        var files: [JournalFile]
        var failure: AsofError?
    }

    struct Spares {
        /// Made ahead or no longer needed; each gets its number when it is taken.
        var files: [JournalFile] = []
        var made = 0
    }

    static let sparesKept = 2
    private static let partLength = 1 << 20
    /// The first file of this life.
    let firstOwn: UInt64
    /// When the reader is behind by more files than this, those that nobody is at leave the process's memory.
    private static let filesMapped = 4

    let folder: String
    let order: Lock<Order>
    let spares: Monitor<Spares>
    let syncing: Lock<Position>
    let isFirstSettled = Atomic<Bool>(false)
    let synchronized: Atomic<UInt64>
    let synchronizing: Atomic<UInt64>
    let references: PayloadReferences
    private let clock: @Sendable () -> Instant

    /// An intent that was begun: where its bytes are, for the commit and for copying the payload.
    struct Intent {
        fileprivate var file: JournalFile
        fileprivate var offset: Int
        fileprivate var length: Int
        var position: Position { file.sequence * UInt64(JournalFile.length) + UInt64(offset) }
    }

    /// Everything before this position is durable, or is being made so.
    var promisedEnd: Position { max(synchronized.load(ordering: .acquiring), synchronizing.load(ordering: .acquiring)) }

    /// Goes on behind what `recovered` holds. `lastLSN`, `lastTime`: of the newest transaction anywhere (journal, spool, repository).
    init(
        folder: String, recovered: RecoveredJournal, references: PayloadReferences, lastLSN: LSN, lastTime: Instant,
        clock: @escaping @Sendable () -> Instant = SystemClock.now
    ) throws(AsofError) {
        self.folder = folder
        self.clock = clock
        self.references = references
        do throws(Errno) {
            let sequence = recovered.nextSequence
            firstOwn = sequence
            let file = try JournalFile.create(in: folder, sequence: sequence)
            order = Lock(
                Order(
                    file: file, offset: JournalFile.headerLength, lastLSN: lastLSN, lastTime: lastTime,
                    files: recovered.files + [file]))
            spares = Monitor(Spares())
            syncing = Lock(sequence * UInt64(JournalFile.length))
            synchronized = Atomic(sequence * UInt64(JournalFile.length))
            synchronizing = Atomic(sequence * UInt64(JournalFile.length))
        } catch {
            throw AsofError(error, "cannot make a journal file in \(folder)")
        }
    }

    // MARK: Appending

    /// Writes the intent to change `inodes`; `payload` is what a write is about to write. With a `plan` it counts from now on, until it is aborted: a
    /// start that finds no commit carries it out.
    func begin(
        _ inodes: [InodeNumber], plan: JournalCodec.Plan? = nil, payload: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
    ) throws(AsofError) -> Intent {
        CrashPoint.reach("journal.intent.before")
        var head = JournalCodec.intentHeader(inodes, plan)
        let length = JournalRecord.headerLength + head.count + payload.count
        let (intent, after) = try order.withLock { order throws(AsofError) in
            try prepareEmergency(&order)
            try reserve(length, &order)
            let intent = Intent(file: order.file, offset: order.offset, length: length)
            place(plan == nil ? .intent : .redo, length, &order)
            order.unsealedIntents[intent.file.sequence, default: 0] += 1
            order.unfilled.insert(intent.position)
            if plan != nil { order.planned.insert(intent.position) }
            return (intent, order.lastLSN)
        }
        if plan != nil {
            head.withUnsafeMutableBytes {
                $0.storeBytes(of: after.rawValue.littleEndian, toByteOffset: JournalCodec.afterOffset(inodes), as: UInt64.self)
            }
        }
        CrashPoint.reach("journal.intent.reserved")
        do throws(Errno) {
            try head.withUnsafeBufferPointer { (head) throws(Errno) in try fill(intent, UnsafeRawBufferPointer(head), payload) }
        } catch {
            abort(intent)
            throw AsofError(error, "cannot write to \(intent.file.path)")
        }
        CrashPoint.reach("journal.intent.after")
        return intent
    }

    /// Logs what was done as the next transaction. The payload of `operations` is the front of the intent's, or where `reference` says.
    @discardableResult
    func commit(
        _ intent: Intent, _ verb: Verb, reference: JournalCodec.Reference? = nil, _ operations: [Operation]
    ) throws(AsofError) -> LSN {
        try commit([intent], verb, reference: reference, operations)
    }

    /// The same of several intents: the payload of `operations` is theirs, one after the other.
    @discardableResult
    func commit(
        _ intents: [Intent], _ verb: Verb, reference: JournalCodec.Reference? = nil, _ operations: [Operation]
    ) throws(AsofError) -> LSN {
        try commit(at: intents.map(\.position), JournalCodec.Plan(verb: verb, operations: JournalCodec.encode(operations: operations)), reference)
    }

    /// The same of intents where they stand, which may be in what an earlier life left.
    @discardableResult
    func commit(at intents: [Position], _ plan: JournalCodec.Plan, _ reference: JournalCodec.Reference? = nil) throws(AsofError) -> LSN {
        let parts = try writeParts(plan.operations)
        CrashPoint.reach("journal.commit.before")
        var body = JournalCodec.encodeCommit(plan.verb, intents: intents, parts: parts.map(\.position), reference, plan.operations)
        let length = JournalRecord.headerLength + body.count
        let lsn = try order.withLock { order throws(AsofError) in
            do throws(AsofError) {
                // What begins here and now may take the space that is kept for ends only while nothing waits for its end.
                try reserve(length, &order, isUrgent: !intents.isEmpty || order.planned.isEmpty)
            } catch {
                // The bytes stand where they belong, but nobody was told: no later change may come behind a plan that a start would carry out.
                if !order.planned.isDisjoint(with: intents) { order.failure = order.failure ?? error }
                throw error
            }
            for intent in intents { order.planned.remove(intent) }
            order.lastLSN = order.lastLSN.next
            order.lastTime = max(clock(), order.lastTime.advanced(byNanoseconds: 1))
            let lsn = order.lastLSN
            let time = order.lastTime
            body.withUnsafeMutableBytes {
                $0.storeBytes(of: lsn.rawValue.littleEndian, toByteOffset: JournalCodec.lsnOffset, as: UInt64.self)
                $0.storeBytes(of: time.nanoseconds.littleEndian, toByteOffset: JournalCodec.timeOffset, as: Int64.self)
            }
            append(.commit, body, &order)
            return lsn
        }
        CrashPoint.reach("journal.commit.after")
        return lsn
    }

    /// Operations that are too many for one record stand in intents of their own.
    private func writeParts(_ encoded: [UInt8]) throws(AsofError) -> [Intent] {
        guard encoded.count > Self.partLength else { return [] }
        var parts: [Intent] = []
        do throws(AsofError) {
            for start in stride(from: 0, to: encoded.count, by: Self.partLength) {
                let part = encoded[start..<min(start + Self.partLength, encoded.count)]
                parts.append(try part.withUnsafeBufferPointer { part throws(AsofError) in try begin([], payload: UnsafeRawBufferPointer(part)) })
            }
        } catch {
            for part in parts { abort(part) }
            throw error
        }
        return parts
    }

    /// The intent came to nothing.
    func abort(_ intent: Intent) { abort(at: intent.position) }

    func abort(at intent: Position) {
        var writer = ByteWriter(reserving: 8)
        writer.fixed64(intent)
        order.withLock { order in
            // A journal that cannot even take this has failed for good; the open intent then costs one comparison at the next start.
            do throws(AsofError) {
                try reserve(JournalRecord.headerLength + 8, &order, isUrgent: true)
                append(.abort, writer.bytes, &order)
            } catch {
                // A start would carry it out, over what came later: nothing does.
                if order.planned.contains(intent) { order.failure = order.failure ?? error }
            }
            order.planned.remove(intent)
        }
    }

    /// Takes a copy of bytes that the change of the intent at `position` refers to. Returns where the copy is.
    func keep(_ position: Position, _ bytes: UnsafeRawBufferPointer) throws(AsofError) -> Position {
        var writer = ByteWriter(reserving: JournalCodec.keptStart)
        writer.fixed64(position)
        let length = JournalRecord.headerLength + JournalCodec.keptStart + bytes.count
        let place = try order.withLock { order throws(AsofError) in
            try prepareEmergency(&order)
            try reserve(length, &order)
            let place = Intent(file: order.file, offset: order.offset, length: length)
            self.place(.kept, length, &order)
            order.unfilled.insert(place.position)
            return place
        }
        do throws(Errno) {
            try writer.bytes.withUnsafeBufferPointer { (head) throws(Errno) in try fill(place, UnsafeRawBufferPointer(head), bytes) }
        } catch {
            throw AsofError(error, "cannot write to \(place.file.path)")
        }
        CrashPoint.reach("journal.keep.after")
        return place.position
    }

    /// The bytes that `keep` took.
    func kept(at position: Position, length: Int) throws(AsofError) -> [UInt8] {
        let offset = Int(position % UInt64(JournalFile.length))
        let start = JournalRecord.headerLength + JournalCodec.keptStart
        guard let file = file(at: position),
            JournalRecord.isComplete(file.base, offset: offset, length: start + length, sequence: file.sequence)
        else { throw AsofError(.damaged, "the journal lacks the copy that it took at \(position)") }
        return Array(UnsafeRawBufferPointer(start: file.base + offset + start, count: length))
    }

    private func fill(_ place: Intent, _ head: UnsafeRawBufferPointer, _ payload: UnsafeRawBufferPointer) throws(Errno) {
        defer { order.withLock { _ = $0.unfilled.remove(place.position) } }
        try place.file.fill(place.offset + JournalRecord.headerLength, head, payload)
        JournalRecord.complete(place.file.base, offset: place.offset, sequence: place.file.sequence, body: head, payload)
    }

    /// Nothing begins without the space to end it.
    private func prepareEmergency(_ order: inout Order) throws(AsofError) {
        if let failure = order.failure { throw failure }
        guard order.emergency == nil else { return }
        do throws(Errno) { order.emergency = try takeSpare(0) } catch { throw AsofError(error, "cannot make a journal file in \(folder)") }
    }

    /// Makes sure that `length` bytes fit in the current file. `isUrgent`: even where the disk is full.
    private func reserve(_ length: Int, _ order: inout Order, isUrgent: Bool = false) throws(AsofError) {
        notePromise(&order)
        let padded = JournalRecord.padded(length)
        // 16 bytes stay free behind every record: the place of the header that is not there yet.
        guard JournalFile.length - order.offset < padded + JournalRecord.headerLength else { return }
        guard padded + JournalFile.headerLength + JournalRecord.headerLength <= JournalFile.length else {
            throw AsofError(.failure, "a change of \(length) bytes is too large for the journal")
        }
        let next: JournalFile
        do throws(Errno) {
            do throws(Errno) { next = try takeSpare(order.file.sequence + 1) } catch {
                guard isUrgent, let emergency = order.emergency else { throw error }
                next = try emergency.renumbered(in: folder, sequence: order.file.sequence + 1)
                order.emergency = nil
            }
        } catch {
            throw AsofError(error, "cannot make a journal file in \(folder)")
        }
        order.hasNewName = true
        if JournalFile.length - order.offset >= JournalRecord.headerLength { place(.end, JournalRecord.headerLength, &order) }
        if order.files.count > Self.filesMapped { order.file.mapping.recede() }
        order.files.append(next)
        order.file = next
        order.offset = JournalFile.headerLength
    }

    /// Where there is no room the next pass says it.
    private func notePromise(_ order: inout Order) {
        let length = JournalRecord.headerLength + 8
        guard let promise = order.promise, JournalFile.length - order.offset >= JournalRecord.padded(length) + JournalRecord.headerLength else { return }
        var writer = ByteWriter(reserving: 8)
        writer.fixed64(promise)
        order.promise = nil
        append(.promise, writer.bytes, &order)
    }

    private func append(_ kind: JournalRecord.Kind, _ body: [UInt8], _ order: inout Order) {
        let offset = order.offset
        let file = order.file
        body.withUnsafeBytes { body in
            if let start = body.baseAddress { (file.base + offset + JournalRecord.headerLength).copyMemory(from: start, byteCount: body.count) }
            JournalRecord.complete(file.base, offset: offset, sequence: file.sequence, body: body)
        }
        place(kind, JournalRecord.headerLength + body.count, &order)
    }

    /// Writes a header at the end of the log and moves the end. Behind it there must be no old header: that place is cleared first.
    private func place(_ kind: JournalRecord.Kind, _ length: Int, _ order: inout Order) {
        let next = order.offset + JournalRecord.padded(length)
        if next + JournalRecord.headerLength <= JournalFile.length {
            (order.file.base + next).storeBytes(of: 0, as: UInt64.self)
        }
        JournalRecord.writeHeader(order.file.base, offset: order.offset, kind: kind, length: length, sequence: order.file.sequence)
        order.offset = next
    }

    // MARK: Reading behind

    struct End {
        var position: Position
        var lsn: LSN
        var time: Instant
    }

    func endPosition(_ order: Order) -> Position { order.file.sequence * UInt64(JournalFile.length) + UInt64(order.offset) }

    /// The end of the log now.
    var end: End { order.withLock { End(position: endPosition($0), lsn: $0.lastLSN, time: $0.lastTime) } }

    /// The end of the log, with a moment that every later transaction lies behind.
    func mark() -> End {
        order.withLock { order in
            order.lastTime = max(clock(), order.lastTime)
            return End(position: endPosition(order), lsn: order.lastLSN, time: order.lastTime)
        }
    }

    /// The file that holds `position`, while it is kept.
    func file(at position: Position) -> JournalFile? {
        let sequence = position / UInt64(JournalFile.length)
        return order.withLock { $0.files.first { $0.sequence == sequence } }
    }

    /// The first kept file at or behind `sequence`.
    func firstFile(from sequence: UInt64) -> JournalFile? { order.withLock { $0.files.first { $0.sequence >= sequence } } }

    /// The reader has gone on from `file`.
    func leave(_ file: JournalFile) { if fileCount > Self.filesMapped { file.mapping.recede() } }

    /// For tests: the newest file that the last pass made durable.
    let newestSynchronized = Atomic<UInt64>(0)

    /// For tests: the numbers of these files.
    var keptSequences: [UInt64] { order.withLock { $0.files.map(\.sequence) } }

    /// The reader is behind by more than the files that are made ahead.
    var isFarAhead: Bool { fileCount > Self.sparesKept }

    /// Files that are kept now.
    var fileCount: Int { order.withLock { $0.files.count } }
}
