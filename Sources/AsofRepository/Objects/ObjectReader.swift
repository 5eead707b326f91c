package import AsofCore
package import AsofFormat
package import AsofFrame
internal import AsofStore
internal import AsofSystem

/// Reads frames of the repository's objects: one ranged read each, checked and decoded, kept in caches that all views share.
package final class ObjectReader: Sendable {
    package let repository: Repository
    private let decoders = Lock<[FrameDecoder]>([])
    private let sealers = Lock<[ObjectID: FrameSealer]>([:])
    private let frames: TwoGenerationCache<FrameKey, [UInt8]>
    private let pages: TwoGenerationCache<FrameKey, IndexPage>
    private let tails: TwoGenerationCache<ObjectID, ObjectTail>

    private let broken = Lock<Set<ObjectID>>([])
    private let onBrokenBase: @Sendable (AsofError) -> Void

    private struct FrameKey: Hashable {
        var object: ObjectID
        var offset: UInt64
    }

    /// `frameCache`, `pageCache`: bytes of decoded payload and of index pages that are kept. `onBrokenBase`: told of each base that is given up.
    package init(
        repository: Repository, frameCache: Int = 24 << 20, pageCache: Int = 12 << 20, onBrokenBase: @escaping @Sendable (AsofError) -> Void = { _ in }
    ) {
        self.repository = repository
        self.onBrokenBase = onBrokenBase
        frames = TwoGenerationCache(limit: frameCache)
        pages = TwoGenerationCache(limit: pageCache)
        tails = TwoGenerationCache(limit: 16 << 20)
    }

    /// A base turned out to be damaged. All that it says the log says, too: from now on that is read instead.
    func giveUp(_ base: SealedObject, _ reason: AsofError) {
        if broken.withLock({ $0.insert(base.id).inserted }) { onBrokenBase(reason) }
    }

    package func isGivenUp(_ base: SealedObject) -> Bool { broken.withLock { $0.contains(base.id) } }

    /// How many bases were given up so far.
    package var givenUp: Int { broken.withLock { $0.count } }

    /// Gives memory back that will not be needed soon.
    package func forgetCached() {
        frames.removeAll()
        pages.removeAll()
        tails.removeAll()
        decoders.withLock { $0 = [] }
    }

    /// A payload frame, decoded.
    package func payload(_ object: ObjectReference, at offset: UInt64, length: UInt32) throws(AsofError) -> [UInt8] {
        try frames.value(for: FrameKey(object: object.id, offset: offset)) { () throws(AsofError) in
            let bytes = try self.frame(ObjectName.of(object), object.id, at: offset, length: length, role: .payload)
            return (bytes, bytes.count + 64)
        }
    }

    /// True when `payload` would not have to ask the store.
    package func holdsPayload(_ object: ObjectReference, at offset: UInt64) -> Bool {
        frames.holds(FrameKey(object: object.id, offset: offset))
    }

    package func page(_ page: PageReference, of name: String, _ id: ObjectID) throws(AsofError) -> IndexPage {
        try pages.value(for: FrameKey(object: id, offset: page.offset)) { () throws(AsofError) in
            let page = try self.uncachedPage(page, of: name, id)
            return (page, page.cost)
        }
    }

    /// For a merge, which reads everything once.
    package func uncachedPage(_ page: PageReference, of name: String, _ id: ObjectID) throws(AsofError) -> IndexPage {
        let bytes = try frame(name, id, at: page.offset, length: page.length, role: .indexPage)
        let decoded = try decoding(name, page.offset) { () throws(FormatError) in try IndexPage(decoding: bytes) }
        guard decoded.keys.first == page.firstKey else {
            throw AsofError(.damaged, "\(name) is damaged: the index page at \(page.offset) is not the one that belongs there")
        }
        return decoded
    }

    package func operations(_ group: GroupReference, of name: String, _ id: ObjectID) throws(AsofError) -> OperationTable {
        let bytes = try frame(name, id, at: group.tableOffset, length: group.tableLength, role: .operations)
        let table = try decoding(name, group.tableOffset) { () throws(FormatError) in try OperationTable(decoding: bytes) }
        guard table.transactions.first?.lsn == group.first, table.transactions.last?.lsn == group.last else {
            throw AsofError(.damaged, "\(name) is damaged: the operations at \(group.tableOffset) are not those of transactions \(group.first)-\(group.last)")
        }
        return table
    }

    package func tail(of object: SealedObject, name: String) throws(AsofError) -> ObjectTail {
        try tails.value(for: object.id) { () throws(AsofError) in
            let bytes = try self.frame(name, object.id, at: object.tailOffset, length: object.tailLength, role: .tail)
            let tail = try self.decoding(name, object.tailOffset) { () throws(FormatError) in try ObjectTail(decoding: bytes) }
            guard tail.first == object.first, tail.last == object.last else {
                throw AsofError(.damaged, "\(name) is damaged: its tail speaks of transactions \(tail.first)-\(tail.last)")
            }
            return (tail, bytes.count * 2 + 256)
        }
    }

    /// One frame, read, checked and decoded.
    private func frame(_ name: String, _ id: ObjectID, at offset: UInt64, length: UInt32, role: FrameRole) throws(AsofError) -> [UInt8] {
        guard length >= UInt32(FrameHeader.length), Int(length) <= FrameLimits.plainLengthMax + FrameHeader.length + FrameLimits.tagLength else {
            throw AsofError(.damaged, "\(name) is damaged: a frame at \(offset) cannot be \(length) bytes long")
        }
        let decoder = decoders.withLock { $0.popLast() } ?? FrameDecoder()
        defer { decoders.withLock { if $0.count < 16 { $0.append(decoder) } } }
        let sealer = sealers.withLock { known in
            if let sealer = known[id] { return sealer }
            let sealer = repository.sealer(for: id)
            known[id] = sealer
            return sealer
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(length), alignment: 16)
        defer { buffer.deallocate() }
        try repository.store.get(name, at: offset, into: buffer)
        do throws(FrameError) {
            return try decoder.decode(UnsafeRawBufferPointer(buffer), role: role, offset: offset, sealer: sealer)
        } catch {
            throw AsofError(
                .damaged, "\(repository.store.description)/\(name) is damaged: the frame at \(offset) (\(length) bytes): \(error.description)",
                hint: "restore this object from a copy of the repository; instants that do not need it still mount")
        }
    }

    private func decoding<Value>(_ name: String, _ offset: UInt64, _ body: () throws(FormatError) -> Value) throws(AsofError) -> Value {
        do throws(FormatError) { return try body() } catch {
            throw AsofError(.damaged, "\(name) is damaged: at \(offset): \(error.description)")
        }
    }
}
