import AsofTestSupport
import Testing

/// The same campaign as `asof-mutations`, in small.
@Suite("Mutations of every format")
struct MutationTests {
    @Test(arguments: MutationFormat.allCases)
    func `a decoder gives an error or the right data`(format: MutationFormat) throws {
        // Decoding whole segments, and JSON, takes longer than the rest by far.
        let count: Int
        switch format {
        case .segment: count = 400
        case .operations, .page, .head, .config: count = 2000
        default: count = 20_000
        }
        let report = try MutationCampaign(format, seed: 20_261_123).run(count: count)
        #expect(report.failures == [])
        // A campaign that rejects nothing, or everything, mutates nothing that matters.
        #expect(report.accepted > 0)
        #expect(report.rejected > 0)
    }

    /// Examples without content would make the campaign prove nothing.
    @Test(arguments: [(MutationFormat.operations, 20_000), (.page, 20_000), (.extents, 2000), (.segment, 10_000)])
    func `start from examples with content`(format: MutationFormat, least: Int) throws {
        #expect(try format.subject(seed: 1).corpus.reduce(0) { $0 + $1.count } > least)
    }
}
