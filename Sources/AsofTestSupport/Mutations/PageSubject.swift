internal import AsofCore
internal import AsofFormat

/// Index pages with values of every kind.
final class PageSubject: MutationSubject {
    let corpus: [[UInt8]]
    static let objects = 3

    init(seed: UInt64) {
        corpus = (0..<32).compactMap { number in
            var builder = IndexPageBuilder()
            for (key, value) in Self.entries(seed: seed &+ UInt64(number), transactions: 5 + number * 2) { builder.append(key, value) }
            return builder.take()?.bytes
        }
    }

    /// What an index says of a random history.
    static func entries(seed: UInt64, transactions: Int) -> [(IndexKey, IndexValue)] {
        var history = RandomHistory(seed: seed)
        let changes = ChangeSet()
        for number in 0..<transactions {
            let transaction = history.next().transaction
            guard let layout = try? PayloadLayout([transaction]) else { continue }
            let frames = (0..<8).map { (offset: UInt64(number * 1_000_000 + $0 * 300_000), length: UInt32(200_000 + $0)) }
            changes.apply([transaction], layout: layout, frames: frames, object: UInt32(number % objects))
        }
        var entries: [(IndexKey, IndexValue)] = []
        try? changes.sortedEntries { entries.append(($0, $1)) }
        return entries
    }

    func judge(_ bytes: [UInt8], from index: Int, _ random: inout SplitMix64) -> MutationVerdict {
        do throws(FormatError) {
            let page = try IndexPage(decoding: bytes)
            var builder = IndexPageBuilder()
            var values: [IndexValue] = []
            for (position, key) in page.keys.enumerated() {
                guard page.lowerBound(key) == position else { return .wrong("key \(position) is not found") }
                let value = try page.value(at: position, objects: Self.objects)
                if let problem = IndexRoundTrip.problem(key, value, objects: Self.objects) { return .wrong(problem) }
                builder.append(key, value)
                values.append(value)
            }
            guard let encoded = builder.take()?.bytes, let again = try? IndexPage(decoding: encoded), again.keys == page.keys else {
                return .wrong("an encoded page is refused, or has other keys")
            }
            for (position, value) in values.enumerated() {
                guard (try? again.value(at: position, objects: Self.objects)) == value else { return .wrong("value \(position) is another") }
            }
            return .accepted
        } catch {
            return .rejected
        }
    }
}

/// Single values: maps of extents and inodes with erased ranges.
final class ExtentsSubject: MutationSubject {
    let corpus: [[UInt8]]
    private let keys: [IndexKey]

    init(seed: UInt64) {
        var corpus: [[UInt8]] = []
        var keys: [IndexKey] = []
        for number in 0..<24 {
            for (key, value) in PageSubject.entries(seed: seed &+ UInt64(number), transactions: 40) {
                guard key.kind == .chunk || (key.kind == .inode && number % 3 == 0) else { continue }
                var writer = ByteWriter()
                value.encode(into: &writer)
                corpus.append(writer.bytes)
                keys.append(key)
            }
        }
        self.corpus = corpus
        self.keys = keys
    }

    func judge(_ bytes: [UInt8], from index: Int, _ random: inout SplitMix64) -> MutationVerdict {
        do throws(FormatError) {
            let value = try IndexValue(key: keys[index], bytes: bytes, in: 0..<bytes.count, objects: PageSubject.objects)
            if case .chunk(let map) = value {
                guard map.checkInvariants() else { return .wrong("extents are not sorted and apart") }
                let bounds = Chunk.range(keys[index].chunk)
                guard map.extents.allSatisfy({ bounds.lowerBound <= $0.start && $0.end <= bounds.upperBound }) else {
                    return .wrong("an extent leaves its chunk")
                }
            }
            return IndexRoundTrip.problem(keys[index], value, objects: PageSubject.objects).map { .wrong($0) } ?? .accepted
        } catch {
            return .rejected
        }
    }
}
