import AsofCore
import AsofRepository
import AsofTestSupport
import Testing

/// Random histories in a repository in memory: after every transaction the view is what an independent model says, whatever the
/// compression, encryption, lengths of groups and segments, and bases between.
@Suite("Every transaction of random histories")
struct HistoryTests {
    @Test(arguments: [0, 100, 200, 300] as [UInt64])
    func `a view equals the model after each transaction`(first: UInt64) throws {
        for seed in first..<first + 25 {
            let history = try RecordedHistory(.varied(seed: seed))
            let difference = try history.firstDifference(thoroughEvery: 40)
            #expect(difference == nil, "seed \(seed)")
        }
    }

    /// The comparison above holds for empty directories, too: this says that the histories are not.
    @Test func `histories have what can go wrong in them`() throws {
        var kinds: [String: Int] = [:]
        func note(_ kind: String, _ isThere: Bool = true) { if isThere { kinds[kind, default: 0] += 1 } }
        for seed in 0..<20 as Range<UInt64> {
            let history = try RecordedHistory(.varied(seed: seed))
            note("base of a base", history.head.bases.count > 1)
            note("many segments", history.head.segments.count > 2)
            for step in history.steps {
                for operation in step.transaction.operations {
                    switch operation {
                    case .entry(_, _, let target): note(target == nil ? "name gone" : "name")
                    case .attributes(_, let attributes, let isBorn):
                        note("birth", isBorn)
                        note("death", attributes.links == 0)
                    case .write(_, let offset, let length):
                        note("write")
                        note("write over a chunk's end", offset / (4 << 20) != (offset + UInt64(max(1, length)) - 1) / (4 << 20))
                        note("write over a frame's length", length > 256 << 10)
                    case .truncate(_, let size): note(size == 0 ? "truncate to nothing" : "truncate")
                    case .zero(_, _, let length): note(length > 256 << 20 ? "long zero" : "zero")
                    case .extendedAttribute(_, _, let value): note(value == nil ? "attribute gone" : "attribute")
                    case .symbolicLink: note("symbolic link")
                    }
                }
            }
        }
        let wanted = [
            "base of a base", "many segments", "name gone", "name", "birth", "death", "write", "write over a chunk's end",
            "write over a frame's length", "truncate to nothing", "truncate", "long zero", "zero", "attribute gone", "attribute", "symbolic link",
        ]
        for kind in wanted { #expect(kinds[kind, default: 0] >= 2, "\(kind)") }
        #expect(kinds["write", default: 0] > 200)
    }
}
