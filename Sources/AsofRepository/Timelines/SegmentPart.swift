package import AsofCore
package import AsofFormat

/// The beginning of a segment, up to a cut inside it, replayed from its operations.
package struct SegmentPart {
    package let changes: ChangeSet
    /// What the extents' object numbers mean.
    package let objects: [ObjectReference]

    package init(_ segment: SealedObject, upTo lsn: LSN, name: String, reader: ObjectReader) throws(AsofError) {
        let tail = try reader.tail(of: segment, name: name)
        changes = ChangeSet()
        objects = tail.objects
        for group in tail.groups where group.first <= lsn {
            let table = try reader.operations(group, of: name, segment.id)
            do throws(FormatError) {
                let layout = try PayloadLayout(table.transactions)
                changes.apply(
                    table.transactions, layout: layout, frames: try table.frames(endingAt: group.tableOffset), object: 0, upTo: lsn)
            } catch {
                throw AsofError(.damaged, "\(name) is damaged: transactions \(group.first)-\(group.last): \(error.description)")
            }
        }
    }

    /// The same as an index, for a merge.
    package func pages() throws(AsofError) -> any IndexSource {
        do throws(FormatError) { return try PartPages(self) } catch {
            throw AsofError(.failure, "cannot sort the beginning of a segment: \(error.description)")
        }
    }

    private final class PartPages: IndexSource {
        let objects: [ObjectReference]
        private var waiting: [[UInt8]] = []
        private var number = 0

        init(_ part: SegmentPart) throws(FormatError) {
            objects = part.objects
            var builder = IndexPageBuilder()
            var pages: [[UInt8]] = []
            try part.changes.sortedEntries { key, value in
                builder.append(key, value)
                if builder.count >= FrameBounds.pageTarget, let page = builder.take() { pages.append(page.bytes) }
            }
            if let page = builder.take() { pages.append(page.bytes) }
            waiting = pages
        }

        func nextPage() throws(AsofError) -> IndexPage? {
            guard number < waiting.count else { return nil }
            defer { number += 1 }
            do throws(FormatError) { return try IndexPage(decoding: waiting[number]) } catch {
                throw AsofError(.failure, "the beginning of a segment could not be sorted: \(error.description)")
            }
        }
    }
}
