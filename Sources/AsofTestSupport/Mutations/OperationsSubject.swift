internal import AsofCore
package import AsofFormat

/// Operation tables: decoded, applied, and rendered as an index.
final class OperationsSubject: MutationSubject {
    let corpus: [[UInt8]]

    init(seed: UInt64) throws {
        var corpus: [[UInt8]] = []
        for number in 0..<48 {
            var history = RandomHistory(seed: seed &+ UInt64(number))
            let transactions = (0..<(2 + number)).map { _ in history.next().transaction }
            corpus.append(Self.table(transactions).encode())
        }
        self.corpus = corpus
    }

    static func table(_ transactions: [Transaction]) -> OperationTable {
        let length = transactions.reduce(0) { $0 + $1.payloadLength }
        let frames = (length + FrameBounds.payloadMax - 1) / FrameBounds.payloadMax
        return OperationTable(transactions: transactions, frameLengths: (0..<frames).map { UInt32(100 + $0) })
    }

    func judge(_ bytes: [UInt8], from index: Int, _ random: inout SplitMix64) -> MutationVerdict {
        do throws(FormatError) {
            let table = try OperationTable(decoding: bytes)
            let again: OperationTable
            do throws(FormatError) { again = try OperationTable(decoding: table.encode()) } catch {
                return .wrong("an encoded table is refused: \(error)")
            }
            guard again == table else { return .wrong("decoding, encoding and decoding gives another table") }
            let changes = ChangeSet()
            changes.apply(
                table.transactions, layout: try PayloadLayout(table.transactions), frames: try table.frames(endingAt: 1 << 40), object: 0)
            var problem: String?
            try changes.sortedEntries { key, value in problem = problem ?? IndexRoundTrip.problem(key, value, objects: 1) }
            return problem.map { .wrong($0) } ?? .accepted
        } catch {
            return .rejected
        }
    }
}

/// What an index says is what it was told.
package enum IndexRoundTrip {
    /// Nil: the value is the same after encoding and decoding.
    package static func problem(_ key: IndexKey, _ value: IndexValue, objects: Int) -> String? {
        guard IndexKey(bytes: key.bytes) == key else { return "the key \(key) is not read again" }
        var writer = ByteWriter()
        value.encode(into: &writer)
        do throws(FormatError) {
            let again = try IndexValue(key: key, bytes: writer.bytes, in: 0..<writer.count, objects: objects)
            return again == value ? nil : "\(value) became \(again)"
        } catch {
            return "an encoded value is refused: \(error): \(value)"
        }
    }
}
