internal import AsofCore
internal import AsofFormat
internal import Glibc

extension RecoveredJournal {
    /// The transactions behind `sealed`, in their order, each with the front of what its intents carry. For journals without references.
    func replay(
        after sealed: LSN, _ body: (Transaction, UnsafeRawBufferPointer) throws(AsofError) -> Void
    ) throws(AsofError) {
        for file in files {
            var offset = JournalFile.headerLength
            while let header = JournalRecord.header(file.base, offset: offset, limit: JournalFile.length, sequence: file.sequence), header.kind != .end {
                let position = file.sequence * UInt64(JournalFile.length) + UInt64(offset)
                guard position < end else { return }
                offset += JournalRecord.padded(header.length)
                guard header.kind == .commit else { continue }
                let record = UnsafeRawBufferPointer(
                    start: file.base + Int(position % UInt64(JournalFile.length)) + JournalRecord.headerLength,
                    count: header.length - JournalRecord.headerLength)
                do throws(FormatError) {
                    let commit = try JournalCodec.decodeCommit(record) { (place) throws(FormatError) in try payload(at: place) }
                    guard commit.lsn > sealed else { continue }
                    let length = commit.operations.reduce(0) { $0 + $1.payloadLength }
                    var bytes = UnsafeRawBufferPointer(start: nil, count: 0)
                    if length > 0 {
                        guard let intent = commit.intents.first else { throw FormatError("a write without its bytes") }
                        bytes = try payload(at: intent)
                        guard bytes.count >= length else { throw FormatError("a write with too few bytes") }
                    }
                    let found = Transaction(lsn: commit.lsn, time: commit.time, verb: commit.verb, operations: commit.operations)
                    do throws(AsofError) { try body(found, bytes) } catch { throw FormatError(error.message) }
                } catch {
                    throw AsofError(.damaged, "the journal \(file.path) is damaged: \(error.description)")
                }
            }
        }
    }

    private func payload(at position: Journal.Position) throws(FormatError) -> UnsafeRawBufferPointer {
        guard let file = files.first(where: { $0.sequence == position / UInt64(JournalFile.length) }) else {
            throw FormatError("an intent stands in a file that is gone")
        }
        return try file.payload(at: Int(position % UInt64(JournalFile.length)))
    }
}
