package import AsofCore
internal import AsofFormat

/// One of the things that, stacked, are the directory at a cut.
package enum StateLayer {
    /// A segment that lies before the cut, or a base.
    case run(RunReader)
    /// What a segment that reaches beyond has before it.
    case part(SegmentPart)
}

extension Timeline {
    /// Newest first: what, together, holds the whole directory after `lsn`, of this timeline and those that it goes on from. Reads the
    /// tails, and the operations of segments that are needed in part. A base whose tail is damaged is given up for older ones and the log.
    package func layers(at lsn: LSN, head: Head, reader: ObjectReader) throws(AsofError) -> [StateLayer] {
        var layers: [StateLayer] = []
        var lineage = Lineage(self, head: head, upTo: lsn)
        while let generation = try lineage.next() {
            let base = try readable(generation, reader)
            for segment in generation.segments.reversed() where segment.first > base?.last ?? .zero {
                let name = generation.name(of: segment)
                layers.append(
                    segment.last <= generation.end
                        ? .run(try RunReader(segment, name: name, reader: reader))
                        : .part(try SegmentPart(segment, upTo: generation.end, name: name, reader: reader)))
            }
            guard let base else { continue }
            layers.append(.run(base.run))
            break
        }
        return layers
    }

    private func readable(_ generation: Lineage.Generation, _ reader: ObjectReader) throws(AsofError) -> (last: LSN, run: RunReader)? {
        while let base = generation.base(reader) {
            do throws(AsofError) {
                return (base.last, try RunReader(base, name: generation.name(ofBase: base), isBase: true, reader: reader))
            } catch {
                guard reader.isGivenUp(base) else { throw error }
            }
        }
        return nil
    }
}
