package import AsofCore
package import AsofFormat
internal import AsofSystem
internal import Glibc

/// The capture's journal for somebody who keeps what it holds elsewhere from time to time (a checkpoint) and reads it back after a crash.
///
/// All bytes of writes travel in it. `sealed`, there the newest archived transaction, is here the one that the newest checkpoint holds.
package final class ChangeJournal: Sendable {
    private let journal: Journal

    /// A write that was begun.
    package struct Intent {
        fileprivate var intent: Journal.Intent
        fileprivate var plan: JournalCodec.Plan
    }

    /// What a checkpoint has to hold for the journal before `position` to be forgotten.
    package struct Mark: Sendable {
        fileprivate var position: Journal.Position
        package var lsn: LSN
    }

    /// Opens the journal in `folder`, which may be new; `replay` gets the operations of each transaction behind `checkpoint`, with the bytes of its
    /// write. A write that was begun, and of which nothing says what came of it, is such a transaction from now on.
    package init(
        folder: String, checkpoint: LSN, replay: ([Operation], UnsafeRawBufferPointer) throws(Errno) -> Void
    ) throws(AsofError) {
        let anchor: SharedDescriptor
        do throws(Errno) { anchor = SharedDescriptor(try SystemCall.open(folder, O_RDONLY | O_DIRECTORY)) } catch {
            throw AsofError(error, "cannot open the journal in \(folder)")
        }
        let recovered = try RecoveredJournal(folder: folder, sealed: checkpoint, anchor: anchor.unmanaged)
        // Nothing else has what stands there: to go on would be to forget it.
        guard !recovered.lacksDurable else {
            throw AsofError(
                .damaged, "the journal in \(folder) is damaged at byte \(recovered.end % UInt64(JournalFile.length)) of \(JournalFile.name(recovered.end / UInt64(JournalFile.length))): what was made durable behind that cannot be read",
                hint: "put the folder back from a copy of it; mv \(folder) elsewhere gives up everything that was changed since the newest checkpoint")
        }
        // What is done again overwrites what the checkpoint has: a power cut from here on must not lose why.
        do throws(Errno) {
            for file in recovered.files { try file.descriptor.withRaw { raw throws(Errno) in try SystemCall.syncData(raw) } }
            if !recovered.files.isEmpty { try Durable.syncDirectory(folder) }
        } catch { throw AsofError(error, "cannot make the journal in \(folder) durable") }
        func failure(_ error: Errno) -> AsofError { AsofError(error, "cannot do again what the journal in \(folder) holds") }
        try recovered.replay(after: checkpoint) { change throws(AsofError) in
            do throws(Errno) { try replay(change.operations, change.bytes) } catch { throw failure(error) }
        }
        let last = recovered.last
        let journal = try Journal(
            folder: folder, recovered: recovered, references: PayloadReferences(anchor: anchor.unmanaged, recovered: [:]),
            lastLSN: max(checkpoint, last?.lsn ?? .zero), lastTime: last?.time ?? SystemClock.now())
        // Its bytes may stand in the place of older ones, in part: it is finished, or those would be torn.
        try recovered.carryOut { position, plan, change throws(AsofError) in
            do throws(Errno) { try replay(change.operations, change.bytes) } catch {
                guard error.rawValue == ENOSPC || error.rawValue == EDQUOT else { throw failure(error) }
                // So it was for the life before, or a power cut took the place that it had. Nobody was told that it is there.
                return journal.abort(at: position)
            }
            try journal.commit(at: [position], plan)
        }
        self.journal = journal
    }

    /// Notes what is about to be written to `inode`, and what that is committed as: if no outcome follows, a start finishes it.
    package func begin(
        _ inode: InodeNumber, _ verb: Verb, _ operations: [Operation], _ bytes: UnsafeRawBufferPointer
    ) throws(AsofError) -> Intent {
        let plan = JournalCodec.Plan(verb: verb, operations: JournalCodec.encode(operations: operations))
        return Intent(intent: try journal.begin([inode], plan: plan, payload: bytes), plan: plan)
    }

    /// What was begun is done.
    package func commit(_ intent: Intent) throws(AsofError) { try journal.commit(at: [intent.intent.position], intent.plan) }

    /// A change without bytes.
    package func commit(_ verb: Verb, _ operations: [Operation]) throws(AsofError) { try journal.commit([], verb, operations) }

    package func abort(_ intent: Intent) { journal.abort(intent.intent) }

    /// Makes everything that was committed before the call durable.
    package func synchronize() throws(AsofError) { try journal.synchronize() }

    /// The end of the log; to be called while no change is under way.
    package func mark() -> Mark {
        let end = journal.mark()
        return Mark(position: end.position, lsn: end.lsn)
    }

    /// A durable checkpoint holds everything before `mark`, and no change was under way then.
    package func forget(before mark: Mark) {
        journal.forgetRecovered()
        journal.releaseSettled(before: mark.position)
    }

    /// Bytes that are kept, in whole files.
    package var byteCount: Int { journal.fileCount * JournalFile.length }
    package static let fileLength = JournalFile.length

    /// Keeps space ready; to be called again and again by a thread that has the time. Returns after `wait` at the latest.
    package func prepareSpares(wait: Duration) { journal.prepareSpares(wait: wait, isBehind: false) }

    /// Gives the space that is kept ready back, for a checkpoint that finds none.
    package func dropSpares() { journal.dropSpares() }

    // MARK: The codec, for checkpoints

    package static func encode(_ operations: [Operation]) -> [UInt8] { JournalCodec.encode(operations: operations) }

    package static func decode(_ bytes: [UInt8]) throws(FormatError) -> [Operation] { try JournalCodec.decode(operations: bytes) }
}
