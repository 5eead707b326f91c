internal import AsofCore
internal import AsofFormat
internal import AsofFrame
internal import AsofRepository

/// Heads, signed again after the mutation and not.
final class HeadSubject: MutationSubject {
    let corpus: [[UInt8]]
    private let heads: [Head]

    init(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        heads = (0..<24).map { _ in Self.head(&random) }
        var corpus: [[UInt8]] = []
        for (index, head) in heads.enumerated() { corpus.append(try head.encode(of: "main", key: Self.key(index))) }
        self.corpus = corpus
    }

    private static func key(_ index: Int) -> [UInt8]? { index % 2 == 0 ? nil : [UInt8](repeating: 9, count: 32) }

    static func head(_ random: inout SplitMix64) -> Head {
        var head = Head()
        head.epoch = random.next() >> 40
        if random.chance(50) {
            head.holder = Holder(host: "häst\"\n", process: 77, started: random.next(), boot: "b", namespace: 4_026_531_836, since: "2026-01-01T00:00:00Z")
        }
        head.capturedUntil = Instant(nanoseconds: Int64(truncatingIfNeeded: random.next()))
        if random.chance(80) { head.first = CutPoint(lsn: LSN(1), time: Instant(nanoseconds: 5)) }
        if random.chance(20) { head.unsettledSince = CutPoint(lsn: LSN(2), time: Instant(nanoseconds: 6)) }
        var lsn: UInt64 = 1
        if random.chance(30) {
            lsn += UInt64(random.below(100)) + 1
            head.parent = Branch(
                timeline: "main", point: CutPoint(lsn: LSN(lsn - 1), time: Instant(nanoseconds: 5)), highestInode: InodeNumber(random.next() >> 18))
        }
        for _ in 0..<random.below(6) {
            let last = lsn + UInt64(random.below(100))
            var object = sealed(first: lsn, last: last, &random)
            for cut in lsn...last where random.chance(10) { object.fuzzy.add(LSN(cut), at: Instant(nanoseconds: Int64(cut))) }
            head.segments.append(object)
            if random.chance(30) { head.bases.append(sealed(first: 1, last: last, &random)) }
            lsn = last + 1
        }
        if random.chance(30) {
            head.gaps.append(
                Gap(
                    after: CutPoint(lsn: LSN(2), time: Instant(nanoseconds: 7)), before: CutPoint(lsn: LSN(9), time: Instant(nanoseconds: 8)),
                    reason: "the host \u{1F4A5} stopped"))
        }
        return head
    }

    private static func sealed(first: UInt64, last: UInt64, _ random: inout SplitMix64) -> SealedObject {
        SealedObject(
            first: LSN(first), last: LSN(last), firstTime: Instant(nanoseconds: Int64(first)), lastTime: Instant(nanoseconds: Int64(last)),
            epoch: 4, id: ObjectID(bytes: random.bytes(16)) ?? .random(), size: random.next() >> 20, hash: random.bytes(32),
            tailOffset: random.next() >> 20, tailLength: UInt32(truncatingIfNeeded: random.next()), highestInode: InodeNumber(random.next() >> 18))
    }

    func judge(_ bytes: [UInt8], from index: Int, _ random: inout SplitMix64) -> MutationVerdict {
        let key = Self.key(index)
        let isForged = random.chance(70)
        let shown = isForged ? SignedDocument.seal(Self.withoutSignature(bytes), key: key) : bytes
        do throws(AsofError) {
            let head = try Head(decoding: shown, of: "main", key: key, name: "head.json")
            if !isForged, head != heads[index] { return .wrong("a change was not noticed") }
            guard let again = try? Head(decoding: try head.encode(of: "main", key: key), of: "main", key: key, name: "head.json") else {
                return .wrong("an encoded head is refused")
            }
            return again == head ? .accepted : .wrong("decoding, encoding and decoding gives another head")
        } catch {
            return error.message.contains("head.json") ? .rejected : .wrong("the message does not say what is damaged: \(error)")
        }
    }

    static func withoutSignature(_ bytes: [UInt8]) -> [UInt8] {
        bytes.lastIndex(of: 0x7D).map { Array(bytes[...$0]) } ?? bytes
    }
}

/// `asof.json`, signed again after the mutation and not.
final class ConfigurationSubject: MutationSubject {
    let corpus: [[UInt8]]

    init(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var corpus: [[UInt8]] = []
        for number in 0..<16 {
            let isEncrypted = number % 2 == 0
            let configuration = RepositoryConfiguration(
                id: ObjectID(bytes: random.bytes(16)) ?? .random(), created: Instant(nanoseconds: Int64(random.next() >> 2)),
                compression: [.none, .zstd(level: 19), .gzip(level: 9)][number % 3], requiredFeatures: isEncrypted ? ["aes-256-gcm"] : [],
                optionalFeatures: number % 5 == 0 ? ["x"] : [], keySlots: isEncrypted ? [random.bytes(60)] : [])
            corpus.append(try configuration.encode())
        }
        self.corpus = corpus
    }

    func judge(_ bytes: [UInt8], from index: Int, _ random: inout SplitMix64) -> MutationVerdict {
        let isForged = random.chance(70)
        let shown = isForged ? SignedDocument.seal(HeadSubject.withoutSignature(bytes), key: nil) : bytes
        do throws(AsofError) {
            let encoded = try RepositoryConfiguration(decoding: shown, name: "asof.json").encode()
            if !isForged, encoded != corpus[index] { return .wrong("a change was not noticed") }
            guard let again = try? RepositoryConfiguration(decoding: encoded, name: "asof.json").encode() else {
                return .wrong("an encoded configuration is refused")
            }
            return again == encoded ? .accepted : .wrong("decoding, encoding and decoding gives another configuration")
        } catch {
            return .rejected
        }
    }
}
