internal import AsofCore
internal import AsofFormat
internal import AsofRepository
internal import AsofStore

/// Whether the objects that a state needs are there, whole as far as sizes and the chain of hashes say. Their frames are checked when read.
struct RestoreObjects {
    /// The newest base at or before the cut.
    let base: SealedObject?
    /// Those whose index is read: behind the base.
    let chain: [SealedObject]
    /// Bytes of all objects that are read from.
    let bytes: UInt64

    init(_ plan: RestorePlan, payload: [ObjectReference]) throws(AsofError) {
        let (timeline, head, cut) = (plan.session.timeline, plan.head, plan.cut)
        let base = head.bases.last { $0.last <= cut.lsn }
        let chain = head.segments.filter { $0.first <= cut.lsn && $0.first > base?.last ?? .zero }
        self.base = base
        self.chain = chain
        var wanted: [(name: String, size: UInt64)] = []
        if let base { wanted.append((ObjectName.base(timeline.name, last: base.last, id: base.id), base.size)) }
        var previous = head.segments.last { $0.last < chain.first?.first ?? .zero }
        for segment in chain {
            let name = ObjectName.segment(timeline.name, first: segment.first, last: segment.last, epoch: segment.epoch)
            wanted.append((name, segment.size))
            let tail = try plan.reader.tail(of: segment, name: name)
            if let previous, tail.previousHash != previous.hash {
                throw AsofError(.damaged, "\(name) does not follow the segment before it: the chain is broken", hint: "restore the repository from a copy")
            }
            previous = segment
        }
        let sizes = Dictionary(head.segments.map { ($0.id, $0.size) }, uniquingKeysWith: { first, _ in first })
        for object in payload where !chain.contains(where: { $0.id == object.id }) {
            guard let size = sizes[object.id] else {
                throw AsofError(.damaged, "\(ObjectName.of(object)) is needed, and the head does not know it", hint: "restore the repository from a copy")
            }
            wanted.append((ObjectName.of(object), size))
        }
        let store = plan.session.repository.store
        for object in wanted {
            guard let size = try store.size(object.name) else {
                throw AsofError(.damaged, "\(store.description)/\(object.name) is missing", hint: "restore this object from a copy of the repository, or take another instant")
            }
            guard size == object.size else {
                throw AsofError(
                    .damaged, "\(store.description)/\(object.name) is damaged: it has \(size) bytes instead of \(object.size)",
                    hint: "restore this object from a copy of the repository, or take another instant")
            }
        }
        bytes = wanted.reduce(0) { $0 + $1.size }
    }
}
