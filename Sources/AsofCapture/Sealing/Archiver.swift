internal import AsofCore
internal import AsofFormat
internal import AsofRepository
internal import AsofStore
internal import AsofSystem
internal import Glibc

/// Brings sealed segments into the repository, in order: the object first, then the head. One named thread; what fails is tried again,
/// and the spool keeps it until then.
final class Archiver: Sendable {
    /// Work in the order in which it must reach the head.
    enum Item: Sendable {
        case segment(SpooledSegment)
        /// Everything up to here is in the segments before.
        case capturedUntil(CutPoint)
        /// The directory was compared with the log, as of this cut; a gap is declared where one was found. `thenUnsettledSince`: another
        /// comparison began there since.
        case settled(CutPoint, gap: Gap?, thenUnsettledSince: CutPoint?)
        /// Something could not be captured.
        case gap(Gap)
    }

    private struct Queue {
        var items: [Item] = []
        /// How many of them are being published now.
        var inHand = 0
        var isStopping = false
        var isDone = false
        /// The newest head that was published.
        var head: Head
        var trouble: AsofError?
        var isFenced = false
        /// Bytes of segments in `items`.
        var waitingBytes: UInt64 = 0
    }

    private let queue: Monitor<Queue>
    private let appender: Appender
    private let spool: Spool
    private let keepsLocal: Bool
    /// One line for the operator.
    private let report: @Sendable (String) -> Void

    init(
        appender: Appender, spool: Spool, keepsLocal: Bool, waiting: [SpooledSegment], report: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.report = report
        self.appender = appender
        self.spool = spool
        self.keepsLocal = keepsLocal
        var start = Queue(head: appender.start)
        start.items = waiting.map(Item.segment)
        start.waitingBytes = waiting.reduce(0) { $0 + $1.object.size }
        queue = Monitor(start)
    }

    func add(_ item: Item) {
        queue.withLock { queue in
            if case .segment(let segment) = item { queue.waitingBytes += segment.object.size }
            // Only the newest of several reports of quiet matters.
            if queue.items.count > queue.inHand, case .capturedUntil = item, case .capturedUntil = queue.items.last { queue.items.removeLast() }
            queue.items.append(item)
        }
        queue.broadcast()
    }

    /// The head as this capture published it last.
    var head: Head { queue.withLock { $0.head } }
    var trouble: AsofError? { queue.withLock { $0.trouble } }
    var isFenced: Bool { queue.withLock { $0.isFenced } }
    var waiting: (segments: Int, bytes: UInt64) {
        queue.withLock { queue in (queue.items.filter { if case .segment = $0 { true } else { false } }.count, queue.waitingBytes) }
    }

    /// Waits until everything that was added before is published; false when that did not happen in time, or cannot now.
    func waitUntilPublished(timeout: Duration) -> Bool {
        _ = queue.wait(timeout: timeout) { $0.items.isEmpty || $0.isFenced || $0.trouble != nil }
        return queue.withLock { $0.items.isEmpty && !$0.isFenced }
    }

    /// Ends the thread once the queue is empty or `patience` has passed; false: something is left in the spool.
    func stop(patience: Duration) -> Bool {
        queue.withLock { $0.isStopping = true }
        queue.broadcast()
        _ = queue.wait(timeout: patience) { $0.isDone }
        return queue.withLock { $0.items.isEmpty }
    }

    // MARK: The thread

    func run() {
        var pause = 1
        var notes = TroubleNotes("the repository cannot be written", relief: "the repository can be written again")
        while true {
            _ = queue.wait { !$0.items.isEmpty || $0.isStopping }
            let (batch, isStopping) = queue.withLock { queue in
                let batch = Self.batch(queue.items)
                queue.inHand = batch.count
                return (batch, queue.isStopping)
            }
            if batch.isEmpty {
                if isStopping { return finish() }
                continue
            }
            do throws(AsofError) {
                try publish(batch)
                pause = 1
                if let line = notes.succeeded(at: SystemClock.monotonicNanoseconds()) { report(line) }
            } catch {
                let isFenced = error.code == .locked
                queue.withLock { queue in
                    queue.trouble = error
                    queue.isFenced = queue.isFenced || isFenced
                }
                queue.broadcast()
                // Who is fenced ends, and says so.
                if !isFenced, let line = notes.failed(error.message, at: SystemClock.monotonicNanoseconds()) { report(line) }
                if isStopping || isFenced { return finish() }
                _ = queue.wait(timeout: .seconds(pause)) { $0.isStopping }
                pause = min(pause * 2, 30)
            }
        }
    }

    private func finish() {
        queue.withLock { $0.isDone = true }
        queue.broadcast()
    }

    /// What goes into one change of the head: everything that waits, but no more than 16 segments.
    private static func batch(_ items: [Item]) -> [Item] {
        var batch: [Item] = []
        var segments = 0
        for item in items {
            if case .segment = item { segments += 1 }
            if segments > 16 { break }
            batch.append(item)
        }
        return batch
    }

    private func publish(_ batch: [Item]) throws(AsofError) {
        var published: [SpooledSegment] = []
        for case .segment(let segment) in batch {
            try upload(segment)
            published.append(segment)
        }
        CrashPoint.reach("archive.head.before")
        let head = try appender.publish { head throws(AsofError) in
            for item in batch {
                switch item {
                case .segment(let segment): try head.append(segment.object)
                case .capturedUntil(let point):
                    if head.unsettledSince == nil, head.first != nil { head.capturedUntil = max(head.capturedUntil, point.time) }
                case .settled(let point, let gap, let unsettled):
                    head.unsettledSince = unsettled
                    if head.first == nil { head.first = point }
                    if let gap { head.declare(gap) }
                    head.capturedUntil = max(head.capturedUntil, point.time)
                case .gap(let gap): head.declare(gap)
                }
            }
        }
        CrashPoint.reach("archive.head.after")
        for segment in published { discard(segment) }
        queue.withLock { queue in
            queue.items.removeFirst(batch.count)
            queue.inHand = 0
            queue.waitingBytes -= min(queue.waitingBytes, published.reduce(0) { $0 + $1.object.size })
            queue.head = head
            queue.trouble = nil
        }
        queue.broadcast()
    }

    private func upload(_ segment: SpooledSegment) throws(AsofError) {
        CrashPoint.reach("archive.upload.before")
        let object = segment.object
        let name = ObjectName.segment(appender.timeline.name, first: object.first, last: object.last, epoch: object.epoch)
        let file: SharedDescriptor
        do throws(Errno) { file = SharedDescriptor(try SystemCall.open(segment.path, O_RDONLY)) } catch {
            throw AsofError(error, "cannot read \(segment.path)")
        }
        let store = appender.timeline.repository.store
        // Again after a crash it is there already. Another one of that name is history that nobody may write over.
        if let there = try Self.header(of: name, in: store), there.id != object.id {
            throw AsofError(
                .failure, "\(store.description)/\(name) is archived already, and is not the segment of that name in \(segment.path)",
                hint: "both are kept as they are; until it is found out how that came about, capture into another timeline: --timeline NAME")
        }
        try file.withRaw { raw throws(AsofError) in try store.put(name, fromDescriptor: raw) }
        CrashPoint.reach("archive.upload.after")
    }

    /// Nil: nothing of that name is there, or nothing that could be kept.
    private static func header(of name: String, in store: any ObjectStore) throws(AsofError) -> ObjectHeader? {
        guard let size = try store.size(name), size >= UInt64(ObjectHeader.length) else { return nil }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: ObjectHeader.length, alignment: 8)
        defer { buffer.deallocate() }
        try store.get(name, at: 0, into: buffer)
        return try? ObjectHeader(decoding: Array(buffer))
    }

    private func discard(_ segment: SpooledSegment) {
        guard keepsLocal else { return (try? SystemCall.unlink(segment.path)) ?? () }
        do throws(Errno) {
            try Durable.makeDirectories(spool.archivedFolder)
            let name = segment.path.split(separator: "/").last.map(String.init) ?? "segment"
            try SystemCall.rename(at: AT_FDCWD, segment.path, to: AT_FDCWD, "\(spool.archivedFolder)/\(name)")
        } catch {
            // Keeping a copy is a convenience; the segment is archived, and stays where it is until the next start tidies up.
        }
    }
}
