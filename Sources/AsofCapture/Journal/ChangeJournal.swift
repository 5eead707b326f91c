package import AsofCore
package import AsofFormat
internal import AsofSystem
internal import Glibc

/// The capture's journal for somebody who keeps what it holds elsewhere from time to time (a checkpoint) and reads it back after a crash.
///
/// All bytes of writes travel in it. `sealed`, there the newest archived transaction, is here the one that the newest checkpoint holds.
package final class ChangeJournal: Sendable {
    private let journal: Journal

    /// A change that was begun.
    package struct Intent {
        fileprivate var intent: Journal.Intent
    }

    /// What a checkpoint has to hold for the journal before `position` to be forgotten.
    package struct Mark: Sendable {
        fileprivate var position: Journal.Position
        package var lsn: LSN
    }

    /// Opens the journal in `folder`, which may be new; `replay` gets each transaction behind `checkpoint`, with the bytes of its write.
    package init(
        folder: String, checkpoint: LSN, replay: (Transaction, UnsafeRawBufferPointer) throws(AsofError) -> Void
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
        try recovered.replay(after: checkpoint, replay)
        let last = recovered.last
        journal = try Journal(
            folder: folder, recovered: recovered, references: PayloadReferences(anchor: anchor.unmanaged, recovered: [:]),
            lastLSN: max(checkpoint, last?.lsn ?? .zero), lastTime: last?.time ?? SystemClock.now())
    }

    /// Notes what is about to be written to `inode`; nothing counts before the commit.
    package func begin(_ inode: InodeNumber, _ bytes: UnsafeRawBufferPointer) throws(AsofError) -> Intent {
        Intent(intent: try journal.begin([inode], payload: bytes))
    }

    package func commit(_ intent: Intent, _ verb: Verb, _ operations: [Operation]) throws(AsofError) {
        try journal.commit(intent.intent, verb, operations)
    }

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
