/// A decoder under mutation.
package protocol MutationSubject: AnyObject {
    /// Valid encodings.
    var corpus: [[UInt8]] { get }
    /// Decodes bytes that were made from `corpus[index]`. Never throws: what a decoder refuses is `.rejected`.
    func judge(_ bytes: [UInt8], from index: Int, _ random: inout SplitMix64) -> MutationVerdict
}

package enum MutationVerdict: Hashable, Sendable {
    case accepted
    case rejected
    /// Decoded, and not what it should be.
    case wrong(String)
}

/// The decoders that `asof-mutations` knows.
package enum MutationFormat: String, CaseIterable, Sendable {
    case operations, page, tail, header, trailer, frame, head, config, extents, segment

    package func subject(seed: UInt64) throws -> any MutationSubject {
        switch self {
        case .operations: try OperationsSubject(seed: seed)
        case .page: PageSubject(seed: seed)
        case .tail: TailSubject(seed: seed)
        case .header: HeaderSubject(seed: seed)
        case .trailer: TrailerSubject(seed: seed)
        case .frame: try FrameSubject(seed: seed)
        case .head: try HeadSubject(seed: seed)
        case .config: try ConfigurationSubject(seed: seed)
        case .extents: ExtentsSubject(seed: seed)
        case .segment: try SegmentSubject(seed: seed)
        }
    }
}
