@testable import AsofCapture
import AsofCore
import AsofFormat
import AsofSystem
import AsofTestSupport
import Glibc
import Synchronization
import Testing

/// What the next life finds in the files that a journal left, whole or damaged.
@Suite("Journal")
struct JournalTests {
    let folder: TemporaryDirectory
    let backing: SharedDescriptor

    init() throws {
        folder = try TemporaryDirectory("journal")
        for name in ["journal", "backing"] { try SystemCall.makeDirectory(folder.path(name), mode: 0o700) }
        backing = SharedDescriptor(try SystemCall.open(folder.path("backing"), O_RDONLY | O_DIRECTORY))
    }

    private func recovered(sealed: LSN = .zero) throws -> RecoveredJournal {
        try RecoveredJournal(folder: folder.path("journal"), sealed: sealed, anchor: backing.unmanaged)
    }

    private func journal(_ recovered: RecoveredJournal) throws -> Journal {
        let last = recovered.last ?? (.zero, .distantPast)
        return try Journal(
            folder: folder.path("journal"), recovered: recovered,
            references: PayloadReferences(anchor: backing.unmanaged, recovered: recovered.references), lastLSN: last.lsn, lastTime: last.time)
    }

    /// Commits `count` writes of random sizes, some copied by a system call and some with their plan; some intents are aborted, the last is left open.
    private func fill(_ journal: Journal, _ count: Int, _ random: inout SplitMix64) throws {
        for number in 1...count {
            let inode = InodeNumber(UInt64(2 + number % 5))
            let bytes = random.bytes(random.chance(10) ? random.below(60_000) : random.below(300))
            try bytes.withUnsafeBytes { bytes in
                let plan = JournalCodec.Plan(verb: .write, operations: JournalCodec.encode(operations: [.write(inode, offset: 0, length: bytes.count)]))
                let intent = try journal.begin([inode], plan: random.chance(50) ? plan : nil, payload: bytes)
                if random.chance(10) { return journal.abort(intent) }
                try journal.commit(intent, .write, [.write(inode, offset: UInt64(number), length: bytes.count)])
            }
        }
        _ = try journal.begin([InodeNumber(99)])
    }

    private func decode(_ body: UnsafeRawBufferPointer, _ recovered: RecoveredJournal) throws -> JournalCodec.Commit {
        try JournalCodec.decodeCommit(body) { position throws(FormatError) in
            guard let file = recovered.files.first(where: { $0.sequence == position / UInt64(JournalFile.length) }) else { throw FormatError("no file") }
            return try file.payload(at: Int(position % UInt64(JournalFile.length)))
        }
    }

    @Test func `a transaction of very many operations comes back whole or not at all`() throws {
        let operations = (0..<300_000).map { Operation.entry(parent: .root, name: Name(unchecked: Array("a rather long name \($0)".utf8)), target: InodeNumber(UInt64($0 + 2))) }
        do {
            let journal = try journal(try recovered())
            try journal.commit(try journal.begin([.root]), .tick, [.truncate(.root, size: 1)])
            try journal.commit(try journal.begin([.root]), .tick, operations)
            try journal.commit(try journal.begin([.root]), .tick, [.truncate(.root, size: 2)])
        }
        let found = try recovered()
        #expect(found.last?.lsn == LSN(3) && found.openInodes.isEmpty)
        let file = try #require(found.files.last)
        var commits: [JournalCodec.Commit] = []
        var offset = JournalFile.headerLength
        while let header = JournalRecord.header(file.base, offset: offset, limit: JournalFile.length, sequence: file.sequence), header.kind != .end {
            let body = UnsafeRawBufferPointer(start: file.base + offset + JournalRecord.headerLength, count: header.length - JournalRecord.headerLength)
            if header.kind == .commit { commits.append(try decode(body, found)) }
            offset += JournalRecord.padded(header.length)
        }
        #expect(commits.contains { $0.operations == operations && $0.parts.count > 8 })
        // One damaged byte in one part, and the transaction never was.
        let part = try #require(commits.first { !$0.parts.isEmpty }?.parts.dropFirst(2).first)
        let holder = try #require(found.files.first { $0.sequence == part / UInt64(JournalFile.length) })
        (holder.base + Int(part % UInt64(JournalFile.length)) + 5000).storeBytes(of: 0xFF, as: UInt8.self)
        #expect(try recovered().last?.lsn == LSN(1))
    }

    /// Every whole transaction, as the sealer would meet it: number, time and payload.
    private func transactions(_ recovered: RecoveredJournal) throws -> [String] {
        let length = UInt64(JournalFile.length)
        var found: [String] = []
        for file in recovered.files {
            var offset = JournalFile.headerLength
            while let header = JournalRecord.header(file.base, offset: offset, limit: JournalFile.length, sequence: file.sequence), header.kind != .end {
                let body = UnsafeRawBufferPointer(
                    start: file.base + offset + JournalRecord.headerLength, count: header.length - JournalRecord.headerLength)
                offset += JournalRecord.padded(header.length)
                guard header.kind == .commit, let commit = try? decode(body, recovered), commit.lsn <= recovered.last?.lsn ?? .zero else { continue }
                let position = try #require(commit.intents.first)
                let holder = try #require(recovered.files.first { $0.sequence == position / length })
                let place = Int(position % length)
                let intent = try #require(
                    JournalRecord.header(holder.base, offset: place, limit: JournalFile.length, sequence: holder.sequence))
                let payload = UnsafeRawBufferPointer(start: holder.base + place + 16, count: intent.length - 16)
                found.append("\(commit.lsn) \(commit.time.nanoseconds) \(payload.reduce(0) { ($0 &* 31) &+ Int($1) })")
            }
        }
        return found
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `everything committed comes back, and the open intent with it`(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        try fill(try journal(try recovered()), 2000, &random)
        let found = try recovered()
        let all = try transactions(found)
        #expect(all.count == Int(found.last?.lsn.rawValue ?? 0) && all.count > 1000)
        #expect(found.openInodes == [InodeNumber(99)])
        // A next life goes on behind it, and both are found.
        try fill(try journal(found), 50, &random)
        let both = try transactions(try recovered())
        #expect(Array(both.prefix(all.count)) == all && both.count > all.count)
    }

    /// A damaged journal yields a prefix of what was committed, whatever was damaged: never a trap, never another transaction.
    @Test(arguments: [11, 12] as [UInt64])
    func `any damage leaves a prefix`(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        try fill(try journal(try recovered()), 300, &random)
        let whole = try transactions(try recovered())
        let path = folder.path("journal/" + JournalFile.name(1))
        let bytes = try SystemCall.readAll(path: path)
        let used = (bytes.lastIndex { $0 != 0 } ?? 0) + 1
        var shortened = 0
        for round in 0..<250 {
            var damaged = bytes
            switch random.below(4) {
            case 0: damaged[random.below(used)] ^= UInt8(1 << random.below(8))
            case 1: for index in random.below(used)..<damaged.count { damaged[index] = 0 }
            case 2:
                let start = random.below(used) & ~4095
                for index in start..<min(start + 4096, damaged.count) { damaged[index] = 0 }
            default: for index in random.bytes(8) { damaged[random.below(used)] = index }
            }
            let file = try SystemCall.open(path, O_WRONLY)
            try SystemCall.writeFully(file.raw, at: 0, Array(damaged[..<used]))
            let found = try recovered()
            let transactions = try transactions(found)
            #expect(transactions == Array(whole.prefix(transactions.count)), "seed \(seed), round \(round)")
            #expect(transactions.count == Int(found.last?.lsn.rawValue ?? 0), "seed \(seed), round \(round)")
            if transactions.count < whole.count { shortened += 1 }
            // A file that is none any more was removed.
            if found.files.isEmpty {
                let again = try SystemCall.open(path, O_WRONLY | O_CREAT, mode: 0o600)
                try SystemCall.writeFully(again.raw, at: 0, bytes)
            }
        }
        #expect(shortened > 50)
    }

    // MARK: Payload that is referred to

    /// A table over the backing directory, a file of it with `bytes`, and its node.
    private func referable(_ name: String, _ bytes: [UInt8]) throws -> (table: NodeTable, node: RecordedNode) {
        let root = SharedDescriptor(try SystemCall.open(folder.path("backing"), O_RDONLY | O_DIRECTORY))
        let table = try NodeTable(root: root, known: nil, highestInode: .root)
        try folder.write("backing/" + name, bytes)
        return (table, try table.resolve(try #require(Name(name)), in: table.root).node)
    }

    /// Logs `bytes` at `offset` of the node's file, which holds them, by reference.
    private func refer(_ journal: Journal, _ table: NodeTable, _ node: RecordedNode, _ offset: UInt64, _ bytes: [UInt8]) throws -> Journal.Position {
        let file = try #require(journal.references.file(of: node, in: table, length: bytes.count), "this file system has no handles")
        let intent = try journal.begin([node.inode])
        let reference = bytes.withUnsafeBytes { journal.references.add(intent.position, file, offset: offset, $0) }
        try journal.commit(intent, .write, reference: reference, [.write(node.inode, offset: offset, length: bytes.count)])
        return intent.position
    }

    private func overwrite(_ name: String, at offset: UInt64, _ bytes: [UInt8]) throws {
        let file = try SystemCall.open(folder.path("backing/" + name), O_WRONLY)
        try SystemCall.writeFully(file.raw, at: offset, bytes)
    }

    /// A file that is not needed any more is synced no more, so a power cut may leave it torn: it must not stand in the way of what follows.
    /// Where another thread still fills a record at a file's end, what is committed in the next file is promised all the same.
    /// While several files are on their way to the disk a power cut may take a page of an earlier one only.
    @Test func `no plan is carried out behind a hole`() throws {
        let bytes = [UInt8](repeating: 7, count: 1 << 20)
        let plan = JournalCodec.Plan(verb: .write, operations: JournalCodec.encode(operations: [.write(InodeNumber(2), offset: 0, length: bytes.count)]))
        do {
            let journal = try journal(try recovered())
            // The one that does not fit begins the next file.
            while journal.fileCount == 1 {
                try journal.commit([], .chmod, [.truncate(InodeNumber(3), size: 1)])
                _ = try bytes.withUnsafeBytes { try journal.begin([InodeNumber(2)], plan: plan, payload: $0) }
            }
        }
        let whole = try recovered()
        #expect(whole.unfinished.contains { $0 / UInt64(JournalFile.length) == whole.files[1].sequence })
        // The commit before the one that begins the second file.
        let last = try #require(whole.unfinished.filter { $0 / UInt64(JournalFile.length) == whole.files[0].sequence }.max())
        let path = "journal/\(JournalFile.name(whole.files[0].sequence))"
        var damaged = try folder.read(path)
        let start = Int(last % UInt64(JournalFile.length)) + JournalRecord.padded(Int(UInt32(littleEndian: damaged[Int(last % UInt64(JournalFile.length))..<Int(last % UInt64(JournalFile.length)) + 4].withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) })))
        for index in start..<damaged.count { damaged[index] = 0 }
        try folder.write(path, damaged)
        let after = try recovered()
        #expect(!after.unfinished.isEmpty)
        #expect(after.unfinished.allSatisfy { $0 / UInt64(JournalFile.length) == whole.files[0].sequence })
    }

    @Test func `a pass makes the file of every commit before it durable`() throws {
        let journal = try journal(try recovered())
        let isEnding = Atomic<Bool>(false)
        let busy = try (0..<2).map { _ in
            try NamedThread("fills") {
                let bytes = [UInt8](repeating: 7, count: 1 << 20)
                while !isEnding.load(ordering: .relaxed) {
                    _ = bytes.withUnsafeBytes { bytes in (try? journal.begin([InodeNumber(2)], payload: bytes)).map { journal.abort($0) } }
                    journal.releaseSettled(before: journal.end.position)
                }
            }
        }
        let bytes = [UInt8](repeating: 8, count: 700 << 10)
        for number in 0..<150 {
            try bytes.withUnsafeBytes { bytes in
                let intent = try journal.begin([InodeNumber(3)], payload: bytes)
                try journal.commit(intent, .write, [.write(InodeNumber(3), offset: 0, length: bytes.count)])
                try journal.synchronize()
                let needed = intent.position / UInt64(JournalFile.length)
                if journal.newestSynchronized.load(ordering: .relaxed) < needed { Issue.record("round \(number): file \(needed) is not durable") }
            }
        }
        isEnding.store(true, ordering: .relaxed)
        for thread in busy { thread.join() }
    }

    @Test func `files that were let go have no name that a start reads`() throws {
        var random = SplitMix64(seed: 3)
        let journal = try journal(try recovered())
        let bytes = random.bytes(1 << 20)
        func write(_ count: Int) throws {
            for _ in 0..<count {
                _ = try bytes.withUnsafeBytes { bytes in
                    try journal.commit(try journal.begin([.root], payload: bytes), .write, [.write(.root, offset: 0, length: bytes.count)])
                }
            }
        }
        try write(30)
        let mark = journal.mark()
        try write(2)
        journal.releaseSettled(before: mark.position)
        let names = try TreeSnapshot.names(in: folder.path("journal"))
        let kept = Set(journal.keptSequences.map(JournalFile.name))
        #expect(Set(names.filter { $0.hasPrefix("journal-") }) == kept)
        #expect(names.filter { $0.hasPrefix(JournalFile.sparePrefix) }.count >= 2)
        try journal.synchronize()
        // What the spares hold has no say, and they can be used again.
        try write(20)
        let again = try recovered(sealed: mark.lsn)
        #expect(again.last?.lsn == LSN(52))
    }

    @Test func `referenced bytes are found again under another name`() throws {
        var random = SplitMix64(seed: 1)
        let bytes = random.bytes(100_000)
        let (table, node) = try referable("a", bytes)
        let position = try refer(try journal(try recovered()), table, node, 0, bytes)
        let directory = try folder.open()
        try SystemCall.rename(at: directory.raw, "backing/a", to: directory.raw, "backing/b")
        let found = try recovered()
        #expect(found.last?.lsn == LSN(1))
        let next = try journal(found)
        #expect(try next.references.bytes(of: position, in: next) == (bytes, true))
    }

    @Test func `bytes about to be overwritten are kept, and only those`() throws {
        var random = SplitMix64(seed: 2)
        let bytes = random.bytes(300_000)
        let (table, node) = try referable("a", bytes)
        let journal = try journal(try recovered())
        let parts = [0, 100_000, 200_000].map { UInt64($0)..<UInt64($0 + 100_000) }
        let positions = try parts.map { part in
            try refer(journal, table, node, part.lowerBound, Array(bytes[Int(part.lowerBound)..<Int(part.upperBound)]))
        }
        let before = journal.end.position
        try journal.references.rescue(node, 150_000..<150_001, into: journal)
        let kept = journal.end.position - before
        #expect(kept > 100_000 && kept < 200_000)
        try journal.references.rescue(node, 120_000..<180_000, into: journal)
        #expect(journal.end.position - before == kept, "kept twice")
        try overwrite("a", at: 150_000, [1, 2, 3])
        for (position, part) in zip(positions, parts) {
            let expected = Array(bytes[Int(part.lowerBound)..<Int(part.upperBound)])
            #expect(try journal.references.bytes(of: position, in: journal) == (expected, true))
        }
        // The same in the next life.
        let found = try recovered()
        #expect(found.last?.lsn == LSN(3))
        let next = try self.journal(found)
        for (position, part) in zip(positions, parts) {
            let expected = Array(bytes[Int(part.lowerBound)..<Int(part.upperBound)])
            #expect(try next.references.bytes(of: position, in: next) == (expected, true))
        }
    }

    @Test func `a log whose bytes are gone ends before them`() throws {
        var random = SplitMix64(seed: 3)
        let bytes = random.bytes(50_000)
        let (table, node) = try referable("a", bytes)
        let journal = try journal(try recovered())
        try journal.commit(try journal.begin([.root]), .chmod, [.truncate(node.inode, size: 0)])
        let position = try refer(journal, table, node, 0, bytes)
        try journal.commit(try journal.begin([.root]), .chmod, [.truncate(node.inode, size: 0)])
        #expect(try recovered().last?.lsn == LSN(3))
        // As after a power cut that the log survived and the bytes did not.
        try overwrite("a", at: 1000, [UInt8](repeating: 0, count: 4096))
        #expect(try journal.references.bytes(of: position, in: journal).isIntact == false)
        #expect(try recovered().last?.lsn == LSN(1))
    }

    @Test func `a node stays the table's as long as bytes of it are referred to`() throws {
        let bytes = [UInt8](repeating: 7, count: 40_000)
        let (table, node) = try referable("a", bytes)
        let journal = try journal(try recovered())
        let position = try refer(journal, table, node, 0, bytes)
        for found in table.takeDiscovered() { table.release(found) }
        table.release(node)
        #expect(try table.node(node.inode.rawValue) === node)
        journal.references.drop([position])
        #expect(throws: Errno(ESTALE)) { try table.node(node.inode.rawValue) }
        #expect(node.references.load(ordering: .relaxed) == 0)
    }
}
