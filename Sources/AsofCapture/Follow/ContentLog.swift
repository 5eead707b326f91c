internal import AsofCore
internal import AsofRepository
internal import AsofSystem
internal import AsofWeaviate
internal import Glibc

/// Brings the bytes of files that changed into the journal, while the tick is gathered and after its stop.
///
/// Bytes behind the size that the log knows of a file are nobody's yet: they are logged *ahead*, in transactions that change nothing
/// visible, so that a tick in which gigabytes were appended is a small transaction all the same. Everything else is *held* for the tick.
struct ContentLog {
    /// Payload of one transaction that goes ahead.
    private static let aheadLength: UInt64 = 4 << 20
    private static let pieceLength = 1 << 20

    private let session: CaptureSession
    private var journal: Journal { session.journal }
    private var ahead: PayloadStream
    private(set) var held: PayloadStream
    /// Files of which everything is held: they were cut off within what is visible.
    private var cut: Set<InodeNumber> = []
    /// New files that a transaction ahead has told of; they have no name yet.
    private(set) var announced: Set<InodeNumber> = []
    /// New files that none has told of yet.
    private var newborn: [InodeNumber: Attributes] = [:]
    /// Read after the stop, without a promise of their kind that they were as in the stop.
    private var unsafe: [Examination] = []
    private(set) var bytes: UInt64 = 0
    /// What a transaction ahead is: as the newest tick, since it changes nothing.
    private let verb: Verb

    init(_ session: CaptureSession, after verb: Verb) {
        self.session = session
        self.verb = verb
        ahead = PayloadStream(session.journal)
        held = PayloadStream(session.journal)
    }

    // MARK: Files

    /// Takes in the bytes of a file. `isStill`: it was looked at in the stop, and its attributes are what the tick will log. False: there is no room
    /// for all of them; the next look goes on where this one ended.
    mutating func take(_ seen: Examination, isStill: Bool, _ tree: inout KnownTree, _ tick: inout Tick) throws(AsofError) -> Bool {
        let number = seen.number
        guard seen.attributes.isRegular, let node = tree[number] else { return true }
        var digests = tree.digests(of: number) ?? ContentDigests()
        let size = seen.attributes.size
        let isNew = tick.born.contains(number)
        if isNew, !announced.contains(number) { newborn[number] = seen.attributes }
        var isWhole = true
        let readAt = tick.sightings[number]?.readAt ?? (isNew || digests.length != node.size ? nil : node.modified)
        // Of the same size, and yet written to: not as its kind promises, unless it is about to grow.
        let isOfSameSize = size == digests.length && readAt != nil && readAt != seen.attributes.modified
        let isCut = size < digests.length
        if isCut {
            truncate(number, to: size, visible: isNew ? 0 : node.size)
            digests.cut(to: size)
        }
        if seen.kind.mode == .growingTemporary, tick.growing[number] == nil { tick.growing[number] = end }
        let rests = seen.kind.mode == .writtenOnce || seen.kind.mode == .appendOnly
        if rests && node.kind.mode == .growingTemporary || isNew && seen.kind.mode == .writtenOnce { noteUnchecked(number, &tick) }
        switch seen.mode {
        case .inPlace, .unknown:
            isWhole = try takeAll(seen, isStill, isNew ? 0 : node.size, &digests)
        case .growingTemporary, .appendWithPatchedHeader:
            let page = UInt64(ContentDigests.pageLength)
            let head = try seen.bytes(0..<min(size, page))
            let isPatched = digests.matchesHead(head) == false
            // Filled in another order than from its begin on; or in the middle of growing, as the stop will tell.
            let isFilled = isOfSameSize && !isPatched
            if isFilled, !isStill { tick.doubtful.insert(number) }
            // Within the first page it is that page's matter.
            let hasTail = try digests.tailStart < page ? true : hasTail(seen, digests)
            if isFilled && isStill || isCut || !hasTail || tick.rewritten.contains(number) {
                tick.rewritten.insert(number)
                isWhole = try takeAll(seen, isStill, isNew ? 0 : node.size, &digests)
            } else {
                try log(number, head, at: 0, isNew ? 0 : node.size, &digests)
                let start = max(digests.tailStart, page)
                if start < size { isWhole = try read(seen, start..<size, isNew ? 0 : node.size, &digests, isStill) }
            }
        case .appendOnly, .writtenOnce:
            // Perhaps in the middle of growing: the stop will tell.
            if isOfSameSize, !isStill { tick.doubtful.insert(number) }
            let hasTail = try hasTail(seen, digests)
            // What rests does not grow.
            let isAtRest = seen.kind.mode == .writtenOnce && !isNew && tick.unchecked[number] == nil && digests.length > 0
            let isRewritten = isCut || isOfSameSize && isStill || !hasTail || isAtRest && size > digests.length
            if isRewritten || tick.rewritten.contains(number) {
                tick.rewritten.insert(number)
                isWhole = try takeAll(seen, isStill, isNew ? 0 : node.size, &digests)
            } else {
                isWhole = try read(seen, digests.tailStart..<max(size, digests.tailStart), isNew ? 0 : node.size, &digests, isStill, isTailKnown: true)
            }
            if tick.unchecked[number] == nil { digests.forgetAllButTail() }
        }
        tree.setDigests(digests, of: number)
        tree.setKind(seen.kind, of: number)
        if isWhole, !isOfSameSize || isStill { tick.sightings[number]?.readAt = seen.attributes.modified }
        return isWhole
    }

    private func noteUnchecked(_ number: InodeNumber, _ tick: inout Tick) {
        guard tick.unchecked[number] == nil else { return }
        tick.unchecked[number] = tick.growing.removeValue(forKey: number) ?? end
    }

    /// The newest state that the log has.
    private var end: CutPoint {
        let end = journal.end
        return CutPoint(lsn: end.lsn, time: end.time)
    }

    /// Reads a file that rests whole. True: it is not as it was logged while it was made.
    mutating func check(_ seen: Examination, _ tree: inout KnownTree) throws(AsofError) -> Bool {
        guard seen.attributes.isRegular, let node = tree[seen.number], var digests = tree.digests(of: seen.number) else { return false }
        let before = bytes
        // Full or not: once begun it is finished, for it is not begun again.
        _ = try read(seen, 0..<seen.attributes.size, node.size, &digests, false, needsAll: true)
        if seen.kind.mode == .appendOnly || seen.kind.mode == .writtenOnce { digests.forgetAllButTail() }
        tree.setDigests(digests, of: seen.number)
        return bytes != before
    }

    /// All of a file that may have changed anywhere. False: as much of it as there was room for.
    private mutating func takeAll(_ seen: Examination, _ isStill: Bool, _ visible: UInt64, _ digests: inout ContentDigests) throws(AsofError) -> Bool {
        let size = seen.attributes.size
        if let content = seen.piece(0..<size) {
            try log(seen.number, content, at: 0, visible, &digests)
            return true
        }
        if isStill { unsafe.append(seen) }
        return try read(seen, 0..<size, visible, &digests, isStill)
    }

    private func hasTail(_ seen: Examination, _ digests: ContentDigests) throws(AsofError) -> Bool {
        guard digests.length > digests.tailStart, seen.attributes.size >= digests.length else { return true }
        if let piece = seen.pieces.first(where: { $0.offset == digests.tailStart }) { return piece.bytes.withUnsafeBytes { digests.matchesTail($0) } }
        return try seen.bytes(at: digests.tailStart, length: ContentDigests.pageLength).withUnsafeBytes { digests.matchesTail($0) }
    }

    /// Logs what is not as it was in a range that begins with a page. `isTailKnown`: what the log has of the first page is as it was. False: as much
    /// of it as there was room for; what was looked at in the stop is logged all the same, for the tick needs it.
    private mutating func read(
        _ seen: Examination, _ range: Range<UInt64>, _ visible: UInt64, _ digests: inout ContentDigests, _ isStill: Bool, isTailKnown: Bool = false,
        needsAll: Bool = false
    ) throws(AsofError) -> Bool {
        let known = isTailKnown ? digests.length : 0
        if let piece = seen.piece(range) {
            try log(seen.number, piece, at: range.lowerBound, visible, &digests, from: known)
            return true
        }
        var offset = range.lowerBound
        while offset < range.upperBound {
            if !isStill, !needsAll, session.isFull { return false }
            try goAhead()
            if let end = Examination.hole(seen.descriptor, at: offset, upTo: range.upperBound) {
                let border = cut.contains(seen.number) ? end : min(max(visible, offset), end)
                if offset < border { held.zero(seen.number, offset..<border) }
                if border < end { ahead.zero(seen.number, border..<end) }
                digests.skip(to: end)
                offset = end
                continue
            }
            let wanted = Int(min(UInt64(Self.pieceLength), range.upperBound - offset))
            let bytes = try seen.bytes(at: offset, length: wanted)
            try log(seen.number, bytes, at: offset, visible, &digests, from: known)
            guard bytes.count == wanted else {
                // It was cut off since: torn, where that was after the stop.
                if isStill { unsafe.append(seen) }
                return true
            }
            offset += UInt64(bytes.count)
        }
        return true
    }

    /// Logs those of `bytes` that are not as they were, and lie at `known` or behind it. `visible`: the size that the log has.
    private mutating func log(
        _ number: InodeNumber, _ bytes: [UInt8], at offset: UInt64, _ visible: UInt64, _ digests: inout ContentDigests, from known: UInt64 = 0
    ) throws(AsofError) {
        for range in bytes.withUnsafeBytes({ digests.take($0, at: offset) }) {
            let start = max(offset + UInt64(range.lowerBound), known)
            let end = offset + UInt64(range.upperBound)
            guard start < end else { continue }
            self.bytes += end - start
            let border = cut.contains(number) ? end : min(max(visible, start), end)
            func slice(_ from: UInt64, _ to: UInt64) -> ArraySlice<UInt8> { bytes[Int(from - offset)..<Int(to - offset)] }
            if start < border { try held.write(number, at: start, slice(start, border)) }
            if border < end { try ahead.write(number, at: border, slice(border, end)) }
        }
    }

    private mutating func truncate(_ number: InodeNumber, to size: UInt64, visible: UInt64) {
        if size < visible { cut.insert(number) }
        if cut.contains(number) { held.truncate(number, to: size) } else { ahead.truncate(number, to: size) }
    }

    // MARK: Transactions

    /// Logs what has gathered ahead, when that is much.
    mutating func goAhead() throws(AsofError) {
        guard ahead.length >= Self.aheadLength else { return }
        var births: [Operation] = []
        let (operations, intents) = try ahead.take()
        for operation in operations {
            guard var attributes = newborn.removeValue(forKey: operation.inode) else { continue }
            announced.insert(operation.inode)
            attributes.size = 0
            attributes.links = 1
            births.append(.attributes(operation.inode, attributes, isBorn: true))
        }
        try journal.commit(intents, verb, births + operations)
        CrashPoint.reach("follow.ahead.after")
    }

    /// The rest: operations on contents, in their order, with the intents that hold their payload.
    mutating func take() throws(AsofError) -> (operations: [Operation], intents: [Journal.Intent]) {
        let (first, second) = (try ahead.take(), try held.take())
        return (first.operations + second.operations, first.intents + second.intents)
    }

    /// Which of the files that were read after the stop changed before they were read whole. `touched`: what events that came since name.
    ///
    /// A write sets the file's times before its bytes and is told of after them, so that between the two nothing goes unseen.
    func changedWhileRead(touched: Set<InodeNumber>) throws(AsofError) -> [Examination] {
        var changed: [Examination] = []
        for seen in unsafe {
            let now = try Surveyor.status(of: seen.descriptor).attributes
            if now.size != seen.attributes.size || now.modified != seen.attributes.modified || touched.contains(seen.number) { changed.append(seen) }
        }
        return changed
    }
}
