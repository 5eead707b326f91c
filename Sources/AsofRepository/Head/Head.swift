package import AsofCore
package import AsofFormat
internal import AsofFrame
internal import FoundationEssentials

/// A timeline's one changing object: everything that a view needs to find the rest.
package struct Head: Hashable, Sendable {
    /// One per appender's life; in the name of everything it writes.
    package var epoch: UInt64
    /// Who appends now; nil: nobody.
    package var holder: Holder?
    /// Everything up to here is in the segments: nothing happened between the last transaction and this moment.
    package var capturedUntil: Instant
    /// The first recoverable state: the end of the first scan. Nil until there is one.
    package var first: CutPoint?
    /// Oldest first.
    package var bases: [SealedObject]
    /// Oldest first, without holes between their transactions.
    package var segments: [SealedObject]
    package var gaps: [Gap]
    /// What this timeline goes on from; nil: it begins with its own first transaction.
    package var parent: Branch?
    /// Set while a capture that starts compares the directory with the log: what comes after this cut is not known to be exact yet.
    package var unsettledSince: CutPoint?

    package init() {
        epoch = 0
        capturedUntil = .distantPast
        bases = []
        segments = []
        gaps = []
    }

    /// The newest transaction that is archived.
    package var last: LSN { segments.last?.last ?? parent?.lsn ?? .zero }
    /// The newest transaction that is a recoverable state for sure.
    package var lastExact: LSN { unsettledSince.map { min($0.lsn, last) } ?? last }
    /// The end of what can be shown: behind it nothing was captured, or what was is not known to be exact yet.
    package var exactUntil: Instant { unsettledSince.map { min($0.time, capturedUntil) } ?? capturedUntil }
    /// The same as `lastExact`, before a gap that it lies in.
    package var newestExact: LSN {
        var lsn = lastExact
        while let gap = gaps.first(where: { lsn > $0.after.lsn && lsn < $0.before.lsn }) { lsn = gap.after.lsn }
        return lsn
    }
    package var lastTime: Instant { segments.last?.lastTime ?? parent?.time ?? .distantPast }
    package var highestInode: InodeNumber { segments.last?.highestInode ?? parent?.highestInode ?? .root }
    /// It goes on from another timeline, and nobody ever captured anything into it.
    package var isUntouchedBranch: Bool { parent != nil && segments.isEmpty && epoch == 0 }

    /// The fuzzy cuts of all own segments; those of neighbours that follow each other are one range.
    package var fuzzyCuts: FuzzyCuts {
        segments.reduce(into: FuzzyCuts()) { $0.append($1.fuzzy, keeping: .max) }
    }

    /// Bytes of all objects that the head reaches.
    package var storedBytes: UInt64 { (bases + segments).reduce(0) { $0 &+ $1.size } }
}

/// A transaction and its time. In JSON: `{"lsn":…,"time":…}`, the time in nanoseconds since 1970.
package struct CutPoint: Hashable, Sendable, Codable {
    package var lsn: LSN
    package var time: Instant
    package init(lsn: LSN, time: Instant) {
        self.lsn = lsn
        self.time = time
    }

    private enum CodingKeys: CodingKey { case lsn, time }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        lsn = LSN(try fields.decode(UInt64.self, forKey: .lsn))
        time = Instant(nanoseconds: try fields.decode(Int64.self, forKey: .time))
    }

    package func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(lsn.rawValue, forKey: .lsn)
        try fields.encode(time.nanoseconds, forKey: .time)
    }
}

/// An interval in which changes were not captured. The states at both ends are exact, those between are unknown.
package struct Gap: Hashable, Sendable, Codable {
    /// The last exact state before.
    package var after: CutPoint
    /// The first exact state behind; its transactions brought the log up to date.
    package var before: CutPoint
    package var reason: String

    package init(after: CutPoint, before: CutPoint, reason: String) {
        self.after = after
        self.before = before
        self.reason = reason
    }
}

/// Who holds a timeline: enough to tell whether it is still alive, and to name it.
package struct Holder: Hashable, Sendable, Codable {
    package var host: String
    package var process: Int32
    /// Field 22 of /proc/<pid>/stat: a process number that was given again has another.
    package var started: UInt64
    package var boot: String
    /// Inode number of its process namespace: containers have their own.
    package var namespace: UInt64
    package var since: String

    package init(host: String, process: Int32, started: UInt64, boot: String, namespace: UInt64, since: String) {
        self.host = host
        self.process = process
        self.started = started
        self.boot = boot
        self.namespace = namespace
        self.since = since
    }

    package var description: String { "process \(process) on \(host), since \(since)" }
}

extension Head {
    private struct Document: Codable {
        var format: Int
        /// Whose head it is: under the signature, so that none is taken for another's. Nil: an older release wrote it.
        var timeline: String?
        var epoch: UInt64
        var holder: Holder?
        var capturedUntil: Int64
        var first: CutPoint?
        var bases: [Object]
        var segments: [Object]
        var gaps: [Gap]
        var parent: Branch?
        var unsettledSince: CutPoint?
    }

    private struct Object: Codable {
        var first: UInt64
        var last: UInt64
        var times: [Int64]
        var epoch: UInt64
        var id: String
        var size: UInt64
        var hash: String
        var tail: [UInt64]
        var inode: UInt64
        /// Nil: none.
        var fuzzy: [FuzzyRange]?

        init(_ object: SealedObject) {
            first = object.first.rawValue
            last = object.last.rawValue
            times = [object.firstTime.nanoseconds, object.lastTime.nanoseconds]
            epoch = object.epoch
            id = object.id.description
            size = object.size
            hash = hex(object.hash)
            tail = [object.tailOffset, UInt64(object.tailLength)]
            inode = object.highestInode.rawValue
            fuzzy = object.fuzzy.isEmpty ? nil : object.fuzzy.ranges.map(FuzzyRange.init)
        }

        func sealed(name: String) throws(AsofError) -> SealedObject {
            guard let id = ObjectID(hex: id), let hash = AsofRepository.bytes(hex: hash), hash.count == 32, times.count == 2,
                tail.count == 2, let length = UInt32(exactly: tail[1]), first >= 1, last >= first
            else { throw AsofError(.damaged, "\(name) is damaged: it describes an object that cannot be") }
            let ranges = (fuzzy ?? []).compactMap(\.range)
            guard ranges.count == fuzzy?.count ?? 0, let fuzzy = FuzzyCuts(ranges, within: LSN(first)...LSN(last)) else {
                throw AsofError(.damaged, "\(name) is damaged: it lists fuzzy states that transactions \(first)-\(last) cannot have")
            }
            return SealedObject(
                first: LSN(first), last: LSN(last), firstTime: Instant(nanoseconds: times[0]),
                lastTime: Instant(nanoseconds: times[1]), epoch: epoch, id: id, size: size, hash: hash, tailOffset: tail[0],
                tailLength: length, highestInode: InodeNumber(inode), fuzzy: fuzzy)
        }
    }

    private struct FuzzyRange: Codable {
        var first: UInt64
        var last: UInt64
        var times: [Int64]
        var count: UInt64

        init(_ range: FuzzyCuts.Range) {
            first = range.first.rawValue
            last = range.last.rawValue
            times = [range.firstTime.nanoseconds, range.lastTime.nanoseconds]
            count = range.count
        }

        /// Nil: it has not the two times that it must have.
        var range: FuzzyCuts.Range? {
            guard times.count == 2 else { return nil }
            return FuzzyCuts.Range(
                first: LSN(first), last: LSN(last), firstTime: Instant(nanoseconds: times[0]), lastTime: Instant(nanoseconds: times[1]),
                count: count)
        }
    }

    package func encode(of timeline: String, key: [UInt8]?) throws(AsofError) -> [UInt8] {
        let document = Document(
            format: parent == nil ? 1 : 2, timeline: timeline, epoch: epoch, holder: holder, capturedUntil: capturedUntil.nanoseconds, first: first,
            bases: bases.map(Object.init), segments: segments.map(Object.init),
            gaps: gaps, parent: parent, unsettledSince: unsettledSince)
        return SignedDocument.seal(try JSONText.encode(document), key: key)
    }

    /// `timeline`: whose it must be.
    package init(decoding bytes: [UInt8], of timeline: String, key: [UInt8]?, name: String) throws(AsofError) {
        let json = try SignedDocument.open(bytes, key: key, name: name)
        // Before anything else: a later format may have other fields.
        struct Version: Codable { var format: Int }
        let version = try JSONText.decode(Version.self, json, name: name).format
        guard (1...2).contains(version) else {
            throw AsofError(.failure, "\(name) has format \(version), this program knows formats 1 and 2", hint: "use a newer release of asof")
        }
        let document = try JSONText.decode(Document.self, json, name: name)
        if let other = document.timeline, other != timeline {
            throw AsofError(.damaged, "\(name) is the head of timeline \(other)", hint: "put each timeline's own head back from a copy of the repository")
        }
        self.init()
        epoch = document.epoch
        holder = document.holder
        capturedUntil = Instant(nanoseconds: document.capturedUntil)
        first = document.first
        unsettledSince = document.unsettledSince
        for object in document.bases { bases.append(try object.sealed(name: name)) }
        for object in document.segments { segments.append(try object.sealed(name: name)) }
        gaps = document.gaps
        parent = document.parent
        try checkParent(format: version, name: name)
        try checkNumbers(name: name)
        for (older, newer) in zip(segments, segments.dropFirst()) where older.last.next != newer.first {
            throw AsofError(.damaged, "\(name) is damaged: transactions between \(older.last) and \(newer.first) are missing")
        }
    }

    /// A program that knows format 1 alone would take a child's own transactions for its whole history: a parent needs format 2.
    private func checkParent(format: Int, name: String) throws(AsofError) {
        guard (format == 2) == (parent != nil) else {
            throw AsofError(.damaged, "\(name) is damaged: it has format \(format) and \(parent == nil ? "no" : "a") parent")
        }
        guard let parent else { return }
        guard parent.isPossible else { throw AsofError(.damaged, "\(name) is damaged: no timeline can go on from lsn:\(parent.lsn) of its parent") }
        guard segments.first.map({ $0.first == parent.lsn.next }) ?? true, bases.allSatisfy({ $0.last > parent.lsn }) else {
            throw AsofError(.damaged, "\(name) is damaged: what it holds does not go on from lsn:\(parent.lsn) of its parent")
        }
    }
}
