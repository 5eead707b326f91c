internal import AsofCore
internal import AsofFormat
internal import AsofFrame
internal import AsofRepository
internal import AsofStore

/// Whether the objects that a state needs are there, whole as far as sizes and the chain of hashes say. Their frames are checked when read.
struct RestoreObjects {
    /// An object by its whole name.
    typealias Named = (name: String, object: SealedObject)

    /// The newest base at or before the cut.
    let base: Named?
    /// Those whose index is read, oldest first: behind the base.
    let chain: [Named]
    /// Bytes of all objects that are read from.
    let bytes: UInt64

    init(_ plan: RestorePlan, payload: [ObjectReference]) throws(AsofError) {
        var (base, chain): (Named?, [Named]) = (nil, [])
        var sizes: [ObjectID: UInt64] = [:]
        var lineage = Lineage(plan.session.timeline, head: plan.head, upTo: plan.cut.lsn)
        while let generation = try lineage.next() {
            for segment in generation.head.segments { sizes[segment.id] = segment.size }
            guard base == nil else { continue }
            base = generation.base(plan.reader).map { (generation.name(ofBase: $0), $0) }
            let floor = base?.object.last ?? .zero
            let own = generation.segments.filter { $0.first > floor }.map { (name: generation.name(of: $0), object: $0) }
            try Self.check(own, after: generation.head.segments.last { $0.last < own.first?.object.first ?? .zero }, plan.reader)
            chain = own + chain
        }
        self.base = base
        self.chain = chain
        // Of a base it is enough that it can be read: the reader gives one up that cannot be.
        var wanted = chain.map { (name: $0.name, size: $0.object.size) }
        let indexed = Set(chain.map(\.object.id))
        for object in payload where !indexed.contains(object.id) {
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
        bytes = wanted.reduce(base?.object.size ?? 0) { $0 + $1.size }
    }

    /// Each segment names the hash of the one before it; a child's first one names none.
    private static func check(_ segments: [Named], after older: SealedObject?, _ reader: ObjectReader) throws(AsofError) {
        var previous = older
        for (name, segment) in segments {
            let tail = try reader.tail(of: segment, name: name)
            if let previous, tail.previousHash != previous.hash {
                throw AsofError(.damaged, "\(name) does not follow the segment before it: the chain is broken", hint: "restore the repository from a copy")
            }
            previous = segment
        }
    }
}
