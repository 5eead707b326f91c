internal import AsofCapture
internal import AsofCore
internal import AsofSystem
internal import Glibc
internal import Synchronization

/// Where an overlay's state is kept: bytes in data files, everything as journal, all but the bytes as a checkpoint from time to time.
///
/// Locks, outermost first: `checkpointing` → `gate` (passed by every change, alone for a checkpoint) → the tree's state → nodes → the journal.
final class OverlayStore: Sendable {
    let tree: OverlayTree
    let data: DataFiles
    let gate = Gate()
    private let folder: OverlayFolder
    /// Nil: the overlay goes with the mount.
    private let journal: ChangeJournal?
    private let report: @Sendable (AsofError) -> Void

    private struct Duty {
        var isStopping = false
        var isWanted = false
        /// Why the last checkpoint failed.
        var failure: AsofError?
    }

    private let duty = Monitor(Duty())
    private let thread = Lock<NamedThread?>(nil)
    /// One checkpoint at a time: an older one must never replace a newer, behind which the journal is gone. Outermost of all locks.
    private let checkpointing = Lock<Void>(())
    /// What a gone node leaves is removed by the next checkpoint: the last one still speaks of it.
    private let gone = Lock<Set<InodeNumber>>([])

    private let bytes = Atomic<Int64>(0)
    private let checkpointsMade = Atomic<UInt64>(0)
    /// How often bytes became free that a checkpoint gives back, and how many of these times one did.
    private let releasesDue = Atomic<UInt64>(0)
    private let releasesMade = Atomic<UInt64>(0)
    /// It is being promoted: changes are refused.
    private let frozen = Atomic<Bool>(false)

    /// A checkpoint is made at this length of the journal, and changes wait for it at the other.
    private static let journalLength = 64 << 20
    private static let journalLengthMax = 256 << 20
    /// What it has behind a checkpoint, or little more.
    private static let journalLengthLeast = 2 * ChangeJournal.fileLength

    init(_ folder: OverlayFolder, report: @escaping @Sendable (AsofError) -> Void) throws(AsofError) {
        self.folder = folder
        self.report = report
        data = DataFiles(folder.data)
        if try OverlayFolder.promotion(at: folder.path)?.isFrozen == true { frozen.store(true, ordering: .relaxed) }
        guard !folder.isTemporary else {
            journal = nil
            tree = OverlayTree(OverlayTree.State())
            return
        }
        let table = try OverlayFolder.table(at: folder.path)
        var state = table.state
        let files = data
        journal = try ChangeJournal(folder: "\(folder.path)/journal", checkpoint: table.lsn) { (operations, bytes) throws(Errno) in
            var position = 0
            for operation in operations {
                if case .write(let inode, let offset, let length) = operation {
                    let piece = UnsafeRawBufferPointer(rebasing: bytes[position..<position + length])
                    position += length
                    let range = offset..<offset.end(after: UInt64(length))
                    try files.write(inode, at: offset, piece, over: state.nodes[inode]?.covered.overlapping(range) ?? [])
                }
                state.apply(operation)
            }
        }
        state.removeGone()
        let nodes = state.nodes
        do throws(Errno) { try data.removeAll { nodes[$0]?.covered.isEmpty == false } } catch {
            throw AsofError(error, "cannot tidy up the overlay's data in \(folder.path)")
        }
        tree = OverlayTree(state)
        bytes.store(nodes.values.reduce(0) { $0 + $1.covered.ranges.reduce(0) { $0 + $1.length } }, ordering: .relaxed)
        // What was replayed need not be again; and from now on the journal has this life's records only.
        try checkpoint()
        do throws(Errno) {
            let started = try NamedThread("asof-overlay") { [self] in run() }
            thread.withLock { $0 = started }
        } catch {
            throw AsofError(error, "cannot start a thread for the overlay")
        }
    }

    // MARK: Changes

    /// Lets a change pass; waits where the journal has become too long.
    func changing<Value>(_ body: () throws(Errno) -> Value) throws(Errno) -> Value {
        var length = journal?.byteCount ?? 0
        if let journal, length > Self.journalLengthMax { try awaitRoom(journal) }
        // Of two checkpoints one began after the call.
        for _ in 0..<2 {
            let made = checkpointsMade.load(ordering: .relaxed)
            do throws(Errno) { return try passing(body) } catch {
                // Until a checkpoint the journal takes as much of the disk as the bytes that it brought there, and what was removed is there still: so
                // the disk may not be full.
                guard error.rawValue == ENOSPC, journal != nil else { throw error }
                guard checkpointsMade.load(ordering: .relaxed) != made || (length > Self.journalLengthLeast || isReleaseDue) && awaitCheckpoint(after: made) else { throw error }
                length = journal?.byteCount ?? 0
            }
        }
        return try passing(body)
    }

    private var isReleaseDue: Bool { releasesDue.load(ordering: .relaxed) != releasesMade.load(ordering: .relaxed) }

    private func passing<Value>(_ body: () throws(Errno) -> Value) throws(Errno) -> Value {
        try gate.pass { () throws(Errno) in
            guard !frozen.load(ordering: .relaxed) else { throw Errno(EROFS) }
            return try body()
        }
    }

    /// False: none could be made.
    private func awaitCheckpoint(after made: UInt64) -> Bool {
        duty.withLock { $0.isWanted = true }
        duty.broadcast()
        func isMade() -> Bool { checkpointsMade.load(ordering: .relaxed) != made }
        duty.wait { isMade() || $0.failure != nil || $0.isStopping }
        return isMade()
    }

    /// Refuses all changes from now on.
    func freeze() { gate.alone { frozen.store(true, ordering: .relaxed) } }

    private func awaitRoom(_ journal: ChangeJournal) throws(Errno) {
        duty.withLock { $0.isWanted = true }
        duty.broadcast()
        duty.wait { $0.failure != nil || $0.isStopping || journal.byteCount <= Self.journalLengthMax }
        if duty.withLock({ $0.failure != nil }) { throw Errno(ENOSPC) }
    }

    /// A change without bytes. To be called within `changing`, with everything locked that it is about; before it is done in memory.
    func commit(_ verb: Verb, _ operations: [Operation]) throws(Errno) {
        guard let journal else { return }
        CrashPoint.reach("overlay.commit.before")
        try journaling { () throws(AsofError) in try journal.commit(verb, operations) }
        CrashPoint.reach("overlay.commit.after")
    }

    /// A write: into the data file, between its intent and its commit.
    func write(_ node: OverlayNode, at offset: UInt64, _ bytes: UnsafeRawBufferPointer, _ operations: [Operation]) throws(Errno) {
        let range = offset..<offset + UInt64(bytes.count)
        let covered = node.covered.overlapping(range)
        guard let journal else { return try data.write(node.inode, at: offset, bytes, over: covered) }
        // Behind a durable checkpoint, bytes that were cut off must stay until it is durable that they were.
        if !node.isCutDurable, node.cut.overlaps(range) {
            try synchronize()
            node.isCutDurable = true
        }
        // Of a node without a name nothing outlives a crash.
        guard !node.isGone else { return try data.write(node.inode, at: offset, bytes, over: covered) }
        let intent = try journaling { () throws(AsofError) in try journal.begin(node.inode, .write, operations, bytes) }
        CrashPoint.reach("overlay.write.before")
        do throws(Errno) { try data.write(node.inode, at: offset, bytes, over: covered) } catch {
            journal.abort(intent)
            noteFull(error)
            throw error
        }
        CrashPoint.reach("overlay.write.after")
        try journaling { () throws(AsofError) in try journal.commit(intent) }
    }

    /// The overlay's own bytes.
    func read(_ inode: InodeNumber, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) {
        do throws(Errno) { try data.read(inode, at: offset, into: buffer) } catch {
            report(AsofError(error, "cannot read changed bytes in \(folder.path)/data"))
            throw Errno(EIO)
        }
    }

    /// Does in memory what was journaled. The node is locked.
    func done(_ operations: [Operation], _ node: OverlayNode) {
        let grown = operations.reduce(0) { $0 + node.apply($1) }
        if grown != 0 { bytes.wrappingAdd(grown, ordering: .relaxed) }
        // With a journal a checkpoint frees them. Without one nothing survives a crash anyway.
        guard journal == nil else {
            // Those of a file without a name go when the kernel forgets it, which is soon.
            if !node.cut.isEmpty || node.isGone && !node.covered.isEmpty { releasesDue.wrappingAdd(1, ordering: .relaxed) }
            return
        }
        guard !node.cut.isEmpty else { return }
        for part in node.cut.ranges { data.free(node.inode, part) }
        node.cut = ByteRanges()
    }

    /// What the overlay takes of its disk, about.
    var bytesUsed: UInt64 { UInt64(clamping: bytes.load(ordering: .relaxed)) + UInt64(journal?.byteCount ?? 0) }

    /// Everything that was answered before the call survives a power cut.
    func synchronize() throws(Errno) {
        guard let journal else { return }
        try journaling { () throws(AsofError) in try journal.synchronize() }
    }

    private func journaling<Value>(_ body: () throws(AsofError) -> Value) throws(Errno) -> Value {
        do throws(AsofError) { return try body() } catch {
            let seen = Errno(error.code == .unavailable ? ENOSPC : EIO)
            // A full disk is told to whoever writes, each time.
            if seen.rawValue != ENOSPC { report(error) }
            noteFull(seen)
            throw seen
        }
    }

    /// A checkpoint frees what was cut off and removed.
    private func noteFull(_ error: Errno) {
        guard error.rawValue == ENOSPC else { return }
        duty.withLock { $0.isWanted = true }
        duty.broadcast()
    }

    /// Nothing leads to the node any more.
    func discard(_ node: OverlayNode) {
        let inode = node.inode
        bytes.wrappingAdd(-node.covered.ranges.reduce(0) { $0 + $1.length }, ordering: .relaxed)
        guard journal != nil else { return data.remove(inode) }
        gone.withLock { _ = $0.insert(inode) }
        if !node.covered.isEmpty || !node.cut.isEmpty { releasesDue.wrappingAdd(1, ordering: .relaxed) }
    }

    // MARK: Checkpoints

    /// Makes everything that was done before the call the newest checkpoint; the journal begins anew behind it.
    func checkpoint() throws(AsofError) {
        try checkpointing.withLock { _ throws(AsofError) in
            if let journal { try checkpoint(journal) } else { try writeTable() }
        }
    }

    private func checkpoint(_ journal: ChangeJournal) throws(AsofError) {
        let (mark, table, dirty, cut, gone, released) = gate.alone {
            let mark = journal.mark()
            let released = releasesDue.load(ordering: .relaxed)
            return tree.state.withLock { state in
                let cut = state.nodes.values.filter { !$0.cut.isEmpty }.map { ($0, $0.cut) }
                return (mark, OverlayTable.encode(state, lsn: mark.lsn), data.takeDirty(), cut, self.gone.withLock { $0 }, released)
            }
        }
        CrashPoint.reach("overlay.checkpoint.before")
        do throws(Errno) {
            try data.synchronize(dirty)
            CrashPoint.reach("overlay.checkpoint.data")
            try folder.replaceTable(table)
        } catch {
            data.putBack(dirty)
            throw AsofError(error, "cannot make a checkpoint of the overlay in \(folder.path)")
        }
        CrashPoint.reach("overlay.checkpoint.table")
        journal.forget(before: mark)
        // The table does not speak of these bytes any more.
        for (node, ranges) in cut {
            node.lock.withLock { _ in
                for range in ranges.ranges {
                    let free = node.cut.overlapping(range)
                    for part in free { data.free(node.inode, part) }
                    node.cut.remove(range)
                }
            }
        }
        for inode in gone { data.remove(inode) }
        self.gone.withLock { $0.subtract(gone) }
        releasesMade.store(released, ordering: .relaxed)
        CrashPoint.reach("overlay.checkpoint.after")
    }

    /// Of an overlay that goes with its mount: for others to read.
    private func writeTable() throws(AsofError) {
        let table = gate.alone { tree.state.withLock { OverlayTable.encode($0, lsn: .zero) } }
        do throws(Errno) { try folder.replaceTable(table) } catch { throw AsofError(error, "cannot write what was changed to \(folder.path)") }
    }

    private func run() {
        guard let journal else { return }
        while !duty.withLock({ $0.isStopping }) {
            journal.prepareSpares(wait: .milliseconds(20))
            let isDue = journal.byteCount >= Self.journalLength || duty.withLock { $0.isWanted }
            if isDue {
                var result = Result { () throws(AsofError) in try checkpoint() }
                if case .failure = result {
                    // What is kept ready for the journal may be what is missing.
                    journal.dropSpares()
                    result = Result { () throws(AsofError) in try checkpoint() }
                }
                duty.withLock { duty in
                    duty.isWanted = false
                    let hadFailed = duty.failure != nil
                    duty.failure = nil
                    switch result {
                    case .success: checkpointsMade.wrappingAdd(1, ordering: .relaxed)
                    case .failure(let failure):
                        duty.failure = failure
                        if !hadFailed { report(failure) }
                    }
                }
                duty.broadcast()
            }
            duty.wait(timeout: .milliseconds(duty.withLock { $0.failure != nil } ? 1000 : 50)) { $0.isStopping || $0.isWanted }
        }
    }

    /// Ends it; to be called when no change can come any more. What it holds is durable, or gone with it.
    func stop() throws(AsofError) {
        duty.withLock { $0.isStopping = true }
        duty.broadcast()
        thread.withLock { $0 }?.join()
        guard !folder.isTemporary else { return folder.removeTemporary() }
        // Where there is no room for a checkpoint the journal has it all.
        try journal?.synchronize()
        try checkpoint()
    }
}
