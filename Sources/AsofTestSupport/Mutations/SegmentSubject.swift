internal import AsofCore
package import AsofFormat
package import AsofFrame
internal import AsofRepository
internal import AsofStore
internal import AsofSystem
internal import AsofView

/// Whole segments and bases in a store. Damage must give the right bytes or an error; frames that were changed and sealed again, as only
/// somebody with the key could, must give anything but a trap, a hang or memory without end.
final class SegmentSubject: MutationSubject {
    let corpus: [[UInt8]]
    private let objects: [(history: RecordedHistory, name: String, sealed: SealedObject)]
    private let comparisons: [HistoryComparison]
    private let heads: [[UInt8]]
    private let scratch: TemporaryDirectory

    init(seed: UInt64) throws {
        scratch = try TemporaryDirectory("segments")
        var corpus: [[UInt8]] = []
        var objects: [(history: RecordedHistory, name: String, sealed: SealedObject)] = []
        var comparisons: [HistoryComparison] = []
        var heads: [[UInt8]] = []
        for number in 0..<12 {
            var options = RecordedHistory.Options(
                seed: seed &+ UInt64(number), transactions: 6 + number, compression: number % 3 == 2 ? .zstd(level: 1) : .none,
                isEncrypted: number % 4 == 3)
            options.longWrites = 0
            options.segmentEnds = 60
            let history = try RecordedHistory(options)
            for name in try history.store.list(prefix: "timelines/main/").map(\.name) where !name.hasSuffix(".json") {
                guard let bytes = try history.store.get(name)?.bytes, let sealed = history.sealedObject(named: name) else { continue }
                corpus.append(bytes)
                objects.append((history, name, sealed))
                comparisons.append(HistoryComparison(history))
                heads.append(try history.store.get(ObjectName.head("main"))?.bytes ?? [])
            }
        }
        self.corpus = corpus
        self.objects = objects
        self.comparisons = comparisons
        self.heads = heads
    }

    func judge(_ bytes: [UInt8], from index: Int, _ random: inout SplitMix64) -> MutationVerdict {
        do {
            return random.chance(40) ? try damaged(bytes, index, &random) : try resealed(index, &random)
        } catch let error as AsofError {
            return .wrong("unexpected: \(error)")
        } catch {
            return .wrong("unexpected: \(error)")
        }
    }

    /// The mutated bytes in place of the object.
    private func damaged(_ bytes: [UInt8], _ index: Int, _ random: inout SplitMix64) throws(AsofError) -> MutationVerdict {
        let (history, name, _) = objects[index]
        try history.store.put(name, bytes)
        let verdict = verdict(history, history.head, comparisons[index], &random, names: name)
        try history.store.put(name, corpus[index])
        return verdict
    }

    private func verdict(
        _ history: RecordedHistory, _ head: Head, _ comparison: HistoryComparison, _ random: inout SplitMix64, names object: String
    ) -> MutationVerdict {
        let lsn = LSN(UInt64(1 + random.below(history.steps.count)))
        do throws(AsofError) {
            let reader = ObjectReader(repository: history.repository)
            let cut = try history.timeline.resolve(.lsn(lsn), head: head, reader: reader)
            let view = try View(cut, of: history.timeline, head: head, reader: reader)
            return try comparison.difference(view, at: lsn).map { .wrong("not noticed: \($0)") } ?? .accepted
        } catch {
            return error.message.contains(object) ? .rejected : .wrong("the message does not name \(object): \(error)")
        }
    }

    /// One frame's content mutated, sealed again.
    private func resealed(_ index: Int, _ random: inout SplitMix64) throws -> MutationVerdict {
        let (history, name, sealed) = objects[index]
        let sealer = history.repository.sealer(for: sealed.id)
        let frames = try FrameWalk.frames(of: corpus[index])
        // Tails, tables and pages decide; payload is only bytes.
        let wanted: FrameRole = random.pick([.tail, .tail, .indexPage, .indexPage, .operations, .payload]) ?? .tail
        guard let frame = random.pick(frames.filter { $0.header.role == wanted }) else { return .rejected }
        let stored = Array(corpus[index][Int(frame.offset)..<Int(frame.offset) + frame.header.frameLength])
        let plain = try Frames.decoded(stored, with: FrameDecoder(), role: wanted, offset: frame.offset, sealer: sealer)
        var mutator = Mutator(seed: random.next())
        var changed = mutator.mutated(plain, spare: plain)
        if wanted != .tail {
            // Whatever follows must stay where it is: stored as long as before. Compressed frames cannot be promised that.
            guard frame.header.method == .stored else { return .rejected }
            changed = Array(changed.prefix(plain.count)) + [UInt8](repeating: 0, count: max(0, plain.count - changed.count))
        }
        let made = try Frames.encoded(changed, role: wanted, offset: frame.offset, sealer: sealer, compression: .none)
        var bytes = Array(corpus[index][..<Int(frame.offset)]) + made
        var head = history.head
        if wanted == .tail {
            bytes += ObjectTail.trailer(tailOffset: frame.offset, tailLength: UInt32(made.count), id: sealed.id)
            head.segments = head.segments.map { $0.id == sealed.id ? $0.withTailLength(UInt32(made.count)) : $0 }
            head.bases = head.bases.map { $0.id == sealed.id ? $0.withTailLength(UInt32(made.count)) : $0 }
        } else {
            bytes += corpus[index][bytes.count...]
        }
        try history.store.put(name, bytes)
        defer { try? history.store.put(name, corpus[index]) }
        let lsn = LSN(UInt64(1 + random.below(history.steps.count)))
        var isRefused = false
        do throws(AsofError) {
            let reader = ObjectReader(repository: history.repository)
            let cut = try history.timeline.resolve(.lsn(lsn), head: head, reader: reader)
            try readEverything(try View(cut, of: history.timeline, head: head, reader: reader), history)
        } catch { isRefused = true }
        if random.chance(20) {
            let kept = head
            do throws(AsofError) {
                _ = try history.timeline.update { $0 = kept; $0.bases = $0.bases.filter { $0.id == sealed.id && random.chance(50) && $0.last < kept.last } }
                _ = try history.timeline.createBase(reader: ObjectReader(repository: history.repository), scratch: scratch.path)
            } catch { isRefused = true }
            for object in try history.store.list(prefix: "timelines/main/bases/") where !history.head.bases.contains(where: {
                ObjectName.base("main", last: $0.last, id: $0.id) == object.name
            }) { try history.store.delete(object.name) }
            try history.store.put(ObjectName.head("main"), heads[index])
        }
        return isRefused ? .rejected : .accepted
    }

    /// Everything that a client could ask, within bounds.
    private func readEverything(_ view: View, _ history: RecordedHistory) throws(AsofError) {
        var inodes = Set(history.touched.keys)
        var failure: AsofError?
        func trying(_ body: () throws(AsofError) -> Void) { do throws(AsofError) { try body() } catch { failure = error } }
        for inode in inodes.sorted() { trying { () throws(AsofError) in for entry in try view.entries(of: inode) { inodes.insert(entry.inode) } } }
        for inode in inodes.sorted() {
            trying { () throws(AsofError) in _ = try view.extendedAttributes(of: inode) }
            trying { () throws(AsofError) in _ = try view.symbolicLink(inode) }
            trying { () throws(AsofError) in for name in RandomHistory.names { _ = try view.entry(name, in: inode) } }
            trying { () throws(AsofError) in
                guard let size = try view.attributes(of: inode)?.size else { return }
                let offsets: [UInt64] = [0, 4 << 20 - 5000, 8 << 20 - 5000, size - min(size, 9000)]
                for offset in offsets {
                    var space = [UInt8](repeating: 0, count: 10_000)
                    var inner: AsofError?
                    space.withUnsafeMutableBytes { space in
                        do throws(AsofError) { _ = try view.read(inode, size: size, offset: offset, into: space) } catch { inner = error }
                    }
                    if let inner { throw inner }
                }
            }
        }
        if let failure { throw failure }
    }
}

extension SealedObject {
    fileprivate func withTailLength(_ length: UInt32) -> SealedObject {
        var copy = self
        copy.tailLength = length
        return copy
    }
}

extension RecordedHistory {
    /// What the head says of a stored object.
    package func sealedObject(named name: String) -> SealedObject? {
        head.segments.first { ObjectName.segment("main", first: $0.first, last: $0.last, epoch: $0.epoch) == name }
            ?? head.bases.first { ObjectName.base("main", last: $0.last, id: $0.id) == name }
    }
}

/// Finds an object's frames from their headers.
package enum FrameWalk {
    package static func frames(of object: [UInt8]) throws(FrameError) -> [(offset: UInt64, header: FrameHeader)] {
        var frames: [(offset: UInt64, header: FrameHeader)] = []
        var position = ObjectHeader.length
        while position < object.count - ObjectTail.trailerLength {
            let bytes = Array(object[position..<min(object.count, position + FrameHeader.length)])
            var failure: FrameError?
            let header = bytes.withUnsafeBytes { bytes -> FrameHeader? in
                do throws(FrameError) { return try FrameDecoder.header(of: bytes) } catch {
                    failure = error
                    return nil
                }
            }
            if let failure { throw failure }
            guard let header else { break }
            frames.append((UInt64(position), header))
            position += header.frameLength
        }
        return frames
    }
}
