internal import AsofCore
internal import AsofFormat
package import AsofFrame

/// Tails of segments and bases.
final class TailSubject: MutationSubject {
    let corpus: [[UInt8]]

    init(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        corpus = (0..<64).map { _ in Self.tail(&random).encode() }
    }

    static func tail(_ random: inout SplitMix64) -> ObjectTail {
        let isSegment = random.chance(60)
        var lsn = UInt64(1 + random.below(1000))
        let first = LSN(lsn)
        var groups: [GroupReference] = []
        var time = Int64(1_700_000_000_000_000_000)
        for number in 0..<(isSegment ? 1 + random.below(6) : 0) {
            let count = UInt64(random.below(300))
            let later = time + Int64(random.below(1_000_000_000))
            groups.append(
                GroupReference(
                    tableOffset: UInt64(64 + number * 70_000), tableLength: UInt32(30 + random.below(4000)), first: LSN(lsn),
                    last: LSN(lsn + count), firstTime: Instant(nanoseconds: time), lastTime: Instant(nanoseconds: later)))
            lsn += count + 1
            time = later
        }
        var inodes = InodeSet()
        var pages: [PageReference] = []
        var inode: UInt64 = 0
        for number in 0..<random.below(12) {
            inode += 1 + UInt64(random.below(random.chance(50) ? 2 : 500))
            inodes.append(InodeNumber(inode))
            let key: IndexKey = random.chance(50) ? .inode(InodeNumber(inode)) : .chunk(InodeNumber(inode), random.next() % 1000)
            pages.append(PageReference(firstKey: key, offset: UInt64(64 + number * 33_000), length: UInt32(20 + random.below(30_000))))
        }
        let objects = (0..<(isSegment ? 1 : random.below(5))).compactMap { number in
            ObjectID(bytes: random.bytes(16)).map {
                ObjectReference(
                    timeline: number == 0 ? "main" : "b-\(number)", first: LSN(UInt64(number)), last: LSN(UInt64(number) + 70), epoch: 3, id: $0)
            }
        }
        return ObjectTail(
            first: first, last: isSegment ? LSN(lsn - 1) : first, firstTime: Instant(nanoseconds: 1_700_000_000_000_000_000),
            lastTime: Instant(nanoseconds: time), previousHash: random.chance(50) ? random.bytes(32) : [], groups: groups, pages: pages,
            inodes: inodes, objects: objects, highestInode: InodeNumber(inode))
    }

    func judge(_ bytes: [UInt8], from index: Int, _ random: inout SplitMix64) -> MutationVerdict {
        do throws(FormatError) {
            let tail = try ObjectTail(decoding: bytes)
            for _ in 0..<4 { _ = tail.inodes.contains(InodeNumber(random.next() >> UInt64(random.below(64)))) }
            guard let again = try? ObjectTail(decoding: tail.encode()) else { return .wrong("an encoded tail is refused") }
            return again == tail ? .accepted : .wrong("decoding, encoding and decoding gives another tail")
        } catch {
            return .rejected
        }
    }
}

/// Headers of objects, with the right checksum and without.
final class HeaderSubject: MutationSubject {
    let corpus: [[UInt8]]

    init(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        corpus = (0..<32).compactMap { number in
            ObjectID(bytes: random.bytes(16)).map {
                ObjectHeader(kind: number % 2 == 0 ? .segment : .run, id: $0, first: LSN(random.next()), epoch: random.next()).encode()
            }
        }
    }

    func judge(_ bytes: [UInt8], from index: Int, _ random: inout SplitMix64) -> MutationVerdict {
        let isForged = random.chance(50) && bytes.count == ObjectHeader.length
        let shown = isForged ? Array(bytes[..<60]) + littleEndian(crc32c(Array(bytes[..<60]))) : bytes
        do throws(FormatError) {
            let header = try ObjectHeader(decoding: shown)
            guard let again = try? ObjectHeader(decoding: header.encode()) else { return .wrong("an encoded header is refused") }
            guard again == header else { return .wrong("decoding, encoding and decoding gives another header") }
            // A splice may be another whole example.
            if !isForged, !corpus.contains(shown) { return .wrong("the checksum missed a change") }
            return .accepted
        } catch {
            return .rejected
        }
    }
}

/// Trailers of objects, with the right checksum and without.
final class TrailerSubject: MutationSubject {
    let corpus: [[UInt8]]
    private let id: ObjectID

    init(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let id = ObjectID(bytes: random.bytes(16)) ?? .random()
        self.id = id
        corpus = (0..<32).map { _ in
            ObjectTail.trailer(tailOffset: random.next(), tailLength: UInt32(truncatingIfNeeded: random.next()), id: id)
        }
    }

    func judge(_ bytes: [UInt8], from index: Int, _ random: inout SplitMix64) -> MutationVerdict {
        var shown = bytes
        let isForged = random.chance(50) && bytes.count == ObjectTail.trailerLength
        if isForged { shown.replaceSubrange(20..<24, with: littleEndian(crc32c(id.bytes + Array(bytes[..<20])))) }
        do throws(FormatError) {
            let place = try ObjectTail.parseTrailer(shown, id: id)
            guard let again = try? ObjectTail.parseTrailer(
                ObjectTail.trailer(tailOffset: place.offset, tailLength: place.length, id: id), id: id), again == place
            else { return .wrong("an encoded trailer says something else") }
            // A splice may be another whole example.
            if !isForged, !corpus.contains(shown) {
                return .wrong("the checksum missed a change")
            }
            return .accepted
        } catch {
            return .rejected
        }
    }
}

/// Frames, plain and sealed, with the right checksum and without.
final class FrameSubject: MutationSubject {
    let corpus: [[UInt8]]
    private let contents: [(plain: [UInt8], role: FrameRole, offset: UInt64, isSealed: Bool)]
    private let decoder = FrameDecoder()
    private let object: ObjectID
    private let sealers: [Bool: FrameSealer]

    init(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        guard let object = ObjectID(bytes: random.bytes(16)), let repository = ObjectID(bytes: random.bytes(16)) else {
            throw FormatError("16 bytes are no id")
        }
        let sealers = [
            false: FrameSealer(object: object, repository: repository, dataKey: nil),
            true: FrameSealer(object: object, repository: repository, dataKey: DataKey(bytes: random.bytes(32))),
        ]
        var corpus: [[UInt8]] = []
        var contents: [(plain: [UInt8], role: FrameRole, offset: UInt64, isSealed: Bool)] = []
        for number in 0..<72 {
            let compression = [Compression.none, .zstd(level: 1), .gzip(level: 1)][number % 3]
            let plain = random.chance(50) ? random.bytes(random.below(400)) : [UInt8](repeating: 7, count: random.below(3000)) + random.bytes(20)
            let role = random.pick(FrameRole.allCases) ?? .payload
            let offset = random.next() >> 20
            let isSealed = number % 2 == 0
            guard let sealer = sealers[isSealed] else { continue }
            corpus.append(try Frames.encoded(plain, role: role, offset: offset, sealer: sealer, compression: compression))
            contents.append((plain, role, offset, isSealed))
        }
        self.object = object
        self.sealers = sealers
        self.corpus = corpus
        self.contents = contents
    }

    func judge(_ bytes: [UInt8], from index: Int, _ random: inout SplitMix64) -> MutationVerdict {
        let content = contents[index]
        guard let sealer = sealers[content.isSealed] else { return .rejected }
        let isForged = random.chance(60) && bytes.count >= FrameHeader.length
        let shown = isForged ? Frames.withChecksum(bytes, object: object, offset: content.offset) : bytes
        do throws(FrameError) {
            let plain = try Frames.decoded(shown, with: decoder, role: content.role, offset: content.offset, sealer: sealer)
            // Without a key, a forged checksum makes any frame good; nothing else does.
            guard plain == content.plain || (isForged && !content.isSealed) else { return .wrong("other bytes than were sealed") }
            return .accepted
        } catch {
            return .rejected
        }
    }
}

/// Frames by hand.
package enum Frames {
    package static func encoded(
        _ plain: [UInt8], role: FrameRole, offset: UInt64, sealer: FrameSealer, compression: Compression
    ) throws(FrameError) -> [UInt8] {
        var output: [UInt8] = []
        var failure: FrameError?
        plain.withUnsafeBytes { plain in
            do throws(FrameError) {
                try FrameEncoder(compression: compression).encode(plain, role: role, offset: offset, sealer: sealer, into: &output)
            } catch { failure = error }
        }
        if let failure { throw failure }
        return output
    }

    package static func decoded(
        _ stored: [UInt8], with decoder: FrameDecoder, role: FrameRole, offset: UInt64, sealer: FrameSealer
    ) throws(FrameError) -> [UInt8] {
        var failure: FrameError?
        let plain = stored.withUnsafeBytes { stored -> [UInt8] in
            do throws(FrameError) { return try decoder.decode(stored, role: role, offset: offset, sealer: sealer) } catch {
                failure = error
                return []
            }
        }
        if let failure { throw failure }
        return plain
    }

    /// The bytes with the checksum that an attacker would write; they are at least a header.
    package static func withChecksum(_ stored: [UInt8], object: ObjectID, offset: UInt64) -> [UInt8] {
        let header = Array(stored[..<12])
        let body = Array(stored[FrameHeader.length...])
        return header + littleEndian(crc32c(object.bytes + littleEndian(offset) + header + body)) + body
    }
}

/// An integer's bytes, least significant first.
package func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
