internal import AsofCore
internal import AsofFormat
internal import Glibc

/// What somebody who keeps the journal's contents elsewhere does again at a start. For journals without references.
extension RecoveredJournal {
    /// Operations of one transaction, with the bytes of its writes, one after the other.
    typealias Change = (operations: [Operation], bytes: UnsafeRawBufferPointer)

    /// The transactions behind `sealed`, in their order.
    func replay(after sealed: LSN, _ body: (Change) throws(AsofError) -> Void) throws(AsofError) {
        for file in files {
            var offset = JournalFile.headerLength
            while let header = JournalRecord.header(file.base, offset: offset, limit: JournalFile.length, sequence: file.sequence), header.kind != .end {
                let position = file.sequence * UInt64(JournalFile.length) + UInt64(offset)
                guard position < end else { return }
                offset += JournalRecord.padded(header.length)
                guard header.kind == .commit else { continue }
                let record = file.body(at: position, header)
                let found = try reading(file) { () throws(FormatError) -> Change? in
                    let commit = try JournalCodec.decodeCommit(record) { (place) throws(FormatError) in try payload(at: place) }
                    return commit.lsn > sealed ? try change(commit.operations, commit.intents.first) : nil
                }
                if let found { try body(found) }
            }
        }
    }

    /// What the intents without an outcome were going to be committed as, in the order in which they were begun. No two are about one file.
    func carryOut(_ body: (Journal.Position, JournalCodec.Plan, Change) throws(AsofError) -> Void) throws(AsofError) {
        for position in unfinished.sorted() {
            guard let file = file(at: position),
                let header = JournalRecord.header(
                    file.base, offset: Int(position % UInt64(JournalFile.length)), limit: JournalFile.length, sequence: file.sequence)
            else { continue }
            let found = try reading(file) { () throws(FormatError) -> (plan: JournalCodec.Plan, change: Change)? in
                guard let (plan, _) = try JournalCodec.decodeIntent(file.body(at: position, header), header.kind).plan else { return nil }
                return (plan, try change(try JournalCodec.decode(operations: plan.operations), position))
            }
            if let found { try body(position, found.plan, found.change) }
        }
    }

    private func change(_ operations: [Operation], _ intent: Journal.Position?) throws(FormatError) -> Change {
        let length = operations.reduce(0) { $0 + $1.payloadLength }
        guard length > 0 else { return (operations, UnsafeRawBufferPointer(start: nil, count: 0)) }
        guard let intent else { throw FormatError("a write without its bytes") }
        let bytes = try payload(at: intent)
        guard bytes.count >= length else { throw FormatError("a write with too few bytes") }
        return (operations, UnsafeRawBufferPointer(rebasing: bytes[..<length]))
    }

    private func reading<Value>(_ file: JournalFile, _ body: () throws(FormatError) -> Value) throws(AsofError) -> Value {
        do throws(FormatError) { return try body() } catch { throw AsofError(.damaged, "the journal \(file.path) is damaged: \(error.description)") }
    }

    private func file(at position: Journal.Position) -> JournalFile? { files.first { $0.sequence == position / UInt64(JournalFile.length) } }

    private func payload(at position: Journal.Position) throws(FormatError) -> UnsafeRawBufferPointer {
        guard let file = file(at: position) else { throw FormatError("an intent stands in a file that is gone") }
        return try file.payload(at: Int(position % UInt64(JournalFile.length)))
    }
}

extension JournalFile {
    /// The body of the record at `position`, which is in this file.
    fileprivate func body(at position: Journal.Position, _ header: JournalRecord.Header) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            start: base + Int(position % UInt64(JournalFile.length)) + JournalRecord.headerLength, count: header.length - JournalRecord.headerLength)
    }
}
