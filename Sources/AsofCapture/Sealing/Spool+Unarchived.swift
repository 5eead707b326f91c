package import AsofCore
package import AsofRepository
internal import AsofSystem
internal import Glibc

extension Spool {
    /// The newest transaction that waits here for a capture to bring it into the repository; nil: none does, or another capture has taken
    /// the timeline over, so that none can. Refuses while a capture runs on this spool.
    package func unarchived(_ head: Head, backing: String) throws(AsofError) -> LSN? {
        guard (try? SystemCall.status(folder)) != nil else {
            // Whoever ended in order gave the timeline back, with nothing left behind.
            guard head.holder != nil else { return nil }
            throw AsofError(.failure, "the spool \(folder), on which this timeline was captured last, is not there: is its disk mounted?")
        }
        let held = try lock(holder: try Holder.current().description)
        defer { withExtendedLifetime(held) {} }
        guard let life = try loadLife(), life.owns(head) else { return nil }
        let sealed = try sealedTransactions()
        let anchor: SharedDescriptor
        do throws(Errno) { anchor = SharedDescriptor(try SystemCall.open(backing, O_RDONLY | O_DIRECTORY)) } catch {
            throw AsofError(error, "cannot open \(backing)")
        }
        let journal = try RecoveredJournal(folder: journalFolder, sealed: max(head.last, sealed), anchor: anchor.unmanaged)
        withExtendedLifetime(anchor) {}
        let newest = max(sealed, journal.last?.lsn ?? .zero)
        return newest > head.last ? newest : nil
    }
}
