internal import AsofCore
internal import AsofFormat
internal import AsofSystem
internal import Glibc

/// What the files of an earlier life hold: transactions that count, and intents whose outcome is unknown.
struct RecoveredJournal {
    /// Files with something that may not be archived yet, oldest first.
    private(set) var files: [JournalFile] = []
    /// The number for the next file: larger than any that was ever used here.
    private(set) var nextSequence: UInt64 = 1
    /// The newest whole transaction; nil where there is none.
    private(set) var last: (lsn: LSN, time: Instant)?
    /// Where the log ends: what the files hold behind this never counted, or does not count any more.
    private(set) var end: Journal.Position = 0
    /// Up to where the last life said that it was durable, as far as that can still be read.
    private var promised: Journal.Position = 0
    /// The log ends before what was durable once: a disk lost it, or somebody changed it. A power cut takes nothing of that.
    var lacksDurable: Bool { end < promised }
    /// Inodes of intents that have neither commit nor abort: their files must be compared with the log.
    private(set) var openInodes: Set<InodeNumber> = []
    /// Intents with a plan and no outcome, begun behind `sealed`: a start carries them out.
    private(set) var unfinished: Set<Journal.Position> = []
    /// Payload that whole transactions refer to, by their intents.
    private(set) var references: [Journal.Position: PayloadReferences.Reference] = [:]
    /// Files that transactions refer to, once each.
    private var opened: [StableHandle: SharedDescriptor] = [:]
    /// Copies of payload, by the intents of what they belong to: each with the position of its record.
    private var kept: [Journal.Position: Journal.Position] = [:]
    /// False: there were no files, the last life ended in order.
    var isEmpty: Bool { files.isEmpty }

    /// Reads all files in `folder`. Transactions must follow `sealed`, the newest that is sealed elsewhere, without a hole: where that ends,
    /// the log ends (`end`). Changes nothing. `anchor`: the backing directory, whose files transactions may refer to.
    init(folder: String, sealed: LSN, anchor: Int32) throws(AsofError) {
        var sequences: [UInt64] = []
        do throws(Errno) {
            let reader = try DirectoryReader(folder)
            while let entry = try reader.next() {
                let name = entry.name.description
                if name.hasPrefix(JournalFile.sparePrefix) { try? SystemCall.unlink("\(folder)/\(name)") }
                if let sequence = JournalFile.sequence(ofName: name) { sequences.append(sequence) }
            }
        } catch {
            throw AsofError(error, "cannot read the journal in \(folder)")
        }
        sequences.sort()
        nextSequence = (sequences.last ?? 0) + 1
        var expected = sealed.next
        var intents: [Journal.Position: [InodeNumber]] = [:]
        var found: [(sequence: UInt64, file: JournalFile?)] = []
        for sequence in sequences {
            do throws(Errno) { found.append((sequence, try JournalFile.open(in: folder, sequence: sequence))) } catch {
                throw AsofError(error, "cannot read the journal file \(folder)/\(JournalFile.name(sequence))")
            }
        }
        // Copies stand behind the transactions that need them, and promises behind what they speak of.
        for case let (_, file?) in found { collect(file) }
        files = found.compactMap(\.file)
        for file in files {
            guard try walk(file, sealed: sealed, anchor: anchor, expected: &expected, intents: &intents) else { break }
        }
        for inodes in intents.values { openInodes.formUnion(inodes) }
        // Behind a header that cannot be read the others are found by looking at each place.
        if let file = files.first(where: { $0.sequence == end / UInt64(JournalFile.length) }) {
            for offset in stride(from: Int(end % UInt64(JournalFile.length)), to: JournalFile.length, by: 8) { notePromise(file, offset) }
        }
    }

    private mutating func notePromise(_ file: JournalFile, _ offset: Int) {
        guard let header = JournalRecord.header(file.base, offset: offset, limit: JournalFile.length, sequence: file.sequence), header.kind == .promise,
            header.length == JournalRecord.headerLength + 8, JournalRecord.isComplete(file.base, offset: offset, length: header.length, sequence: file.sequence)
        else { return }
        promised = max(promised, UInt64(littleEndian: (file.base + offset + JournalRecord.headerLength).loadUnaligned(as: UInt64.self)))
    }

    /// Reads one file's records up to `end`; false when a transaction is missing or torn, so that nothing behind it counts.
    private mutating func walk(
        _ file: JournalFile, sealed: LSN, anchor: Int32, expected: inout LSN, intents: inout [Journal.Position: [InodeNumber]]
    ) throws(AsofError) -> Bool {
        var offset = JournalFile.headerLength
        end = file.sequence * UInt64(JournalFile.length) + UInt64(offset)
        while let header = JournalRecord.header(file.base, offset: offset, limit: JournalFile.length, sequence: file.sequence) {
            let position = file.sequence * UInt64(JournalFile.length) + UInt64(offset)
            let body = UnsafeRawBufferPointer(
                start: file.base + offset + JournalRecord.headerLength, count: header.length - JournalRecord.headerLength)
            let isComplete = JournalRecord.isComplete(file.base, offset: offset, length: header.length, sequence: file.sequence)
            switch header.kind {
            case .end:
                end = (file.sequence + 1) * UInt64(JournalFile.length)
                return true
            case .kept, .promise: break
            case .intent, .redo:
                // An intent that is not complete did not come to touching the directory.
                if isComplete, let intent = try? JournalCodec.decodeIntent(body, header.kind) {
                    intents[position] = intent.inodes
                    // What was begun before the newest checkpoint was settled before it, wherever that stood. Behind a hole that a power cut left, a
                    // transaction is missing before it.
                    if let plan = intent.plan, plan.after >= sealed {
                        guard plan.after.next == expected else { return false }
                        unfinished.insert(position)
                    }
                }
            case .abort:
                var reader = ByteReader(Array(body))
                if isComplete, let intent = try? reader.fixed64() {
                    intents[intent] = nil
                    unfinished.remove(intent)
                } else if !unfinished.isEmpty {
                    // Which of them came to nothing?
                    return false
                }
            case .commit:
                let decoded = try? JournalCodec.decodeCommit(body) { position throws(FormatError) in
                    guard intents[position] != nil, let file = files.first(where: { $0.sequence == position / UInt64(JournalFile.length) }) else {
                        throw FormatError("a part of a transaction is not whole")
                    }
                    return try file.payload(at: Int(position % UInt64(JournalFile.length)))
                }
                guard isComplete, let commit = decoded else { return false }
                if commit.lsn > sealed {
                    // The payload must be whole, too: after a power cut a page of it may be missing.
                    guard commit.lsn == expected, payloadLength(commit) == 0 || commit.intents.allSatisfy({ intents[$0] != nil }),
                        try resolve(commit, anchor) else {
                        return false
                    }
                    expected = commit.lsn.next
                }
                if (last?.lsn ?? .zero) < commit.lsn { last = (commit.lsn, commit.time) }
                for intent in commit.intents + commit.parts {
                    intents[intent] = nil
                    unfinished.remove(intent)
                }
            }
            offset += JournalRecord.padded(header.length)
            end = file.sequence * UInt64(JournalFile.length) + UInt64(offset)
        }
        return true
    }

    private mutating func collect(_ file: JournalFile) {
        var offset = JournalFile.headerLength
        while let header = JournalRecord.header(file.base, offset: offset, limit: JournalFile.length, sequence: file.sequence), header.kind != .end {
            if header.kind == .kept, header.length > JournalRecord.headerLength + JournalCodec.keptStart,
                JournalRecord.isComplete(file.base, offset: offset, length: header.length, sequence: file.sequence)
            {
                let intent = (file.base + offset + JournalRecord.headerLength).loadUnaligned(as: UInt64.self)
                kept[intent] = file.sequence * UInt64(JournalFile.length) + UInt64(offset)
            }
            notePromise(file, offset)
            offset += JournalRecord.padded(header.length)
        }
    }

    /// Finds the payload that a transaction refers to; false: it is not there any more.
    private mutating func resolve(_ commit: JournalCodec.Commit, _ anchor: Int32) throws(AsofError) -> Bool {
        guard let named = commit.reference else { return true }
        guard let intent = commit.intents.first, case .write(_, let offset, let length)? = commit.operations.first, length <= JournalFile.length else { return false }
        func reference(_ place: PayloadReferences.Place) -> PayloadReferences.Reference {
            PayloadReferences.Reference(node: nil, place: place, offset: offset, length: length, sum: named.sum)
        }
        if let copy = kept[intent] {
            references[intent] = reference(.journal(copy))
            return true
        }
        guard let file = try opened(StableHandle(bytes: named.handle), anchor) else { return false }
        guard try PayloadReferences.read(reference(.file(file)), in: file).isIntact else { return false }
        references[intent] = reference(.file(file))
        return true
    }

    /// The file of a handle; nil: it is gone.
    private mutating func opened(_ handle: StableHandle, _ anchor: Int32) throws(AsofError) -> SharedDescriptor? {
        if let file = opened[handle] { return file }
        do throws(Errno) {
            let file = SharedDescriptor(try handle.open(anchor, O_RDONLY))
            opened[handle] = file
            return file
        } catch {
            if error.rawValue == ESTALE || error.rawValue == ENOENT { return nil }
            throw AsofError(
                error, "cannot open a file that the journal refers to", hint: "start the recorder as the user, and with the limits, that it had before")
        }
    }

    private func payloadLength(_ commit: JournalCodec.Commit) -> Int { commit.operations.reduce(0) { $0 + $1.payloadLength } }
}
