package import AsofCore
package import AsofFrame

/// One run that a merge reads, front to back.
package protocol IndexSource: AnyObject {
    /// What the extents of its chunks point into.
    var objects: [ObjectReference] { get }
    /// The next page; nil at the end.
    func nextPage() throws(AsofError) -> IndexPage?
}

/// Merges an older base and the runs above it into a new base: the whole directory at the newest run's last transaction.
/// Metadata only, payload stays where it is; memory is a page of each source and one inode's versions.
package final class BaseBuilder {
    package let header: ObjectHeader
    package private(set) var length: UInt64 = 0

    private let sealer: FrameSealer
    private let encoder: FrameEncoder
    private var hasher = SHA256Hasher()
    /// Newest first.
    private let cursors: [Cursor]
    private var index = IndexWriter()
    private var objects: [ObjectReference] = []
    private var objectIndex: [ObjectReference: UInt32] = [:]
    private var output: [UInt8] = []

    /// `sources`: newest first.
    package init(header: ObjectHeader, sources: [any IndexSource], sealer: FrameSealer, compression: Compression) throws(AsofError) {
        self.header = header
        self.sealer = sealer
        encoder = FrameEncoder(compression: compression)
        var cursors: [Cursor] = []
        for source in sources { cursors.append(try Cursor(source)) }
        self.cursors = cursors
    }

    /// Writes the whole base; `write` appends bytes to the object. `inodes`: how many are in it.
    package func build(
        last: LSN, lastTime: Instant, highestInode: InodeNumber, write: ([UInt8]) throws(AsofError) -> Void
    ) throws(AsofError) -> (summary: SealedObject, inodes: Int) {
        try give(header.encode(), write)
        var count = 0
        while let inode = cursors.compactMap({ $0.key?.inode }).min() {
            if try mergeInode(inode) { count += 1 }
            if output.count >= 1 << 20 { try give(take(), write) }
        }
        do {
            try index.finishPage(encoder: encoder, sealer: sealer, offset: length, into: &output)
            let tail = ObjectTail(
                first: LSN(1), last: last, firstTime: lastTime, lastTime: lastTime, previousHash: [], groups: [],
                pages: index.pages, inodes: index.inodes, objects: objects, highestInode: highestInode)
            let place = try appendTail(tail, id: header.id, at: length, encoder: encoder, sealer: sealer, to: &output)
            try give(take(), write)
            let summary = SealedObject(
                first: LSN(1), last: last, firstTime: lastTime, lastTime: lastTime, epoch: header.epoch, id: header.id,
                size: length, hash: hasher.finish(), tailOffset: place.offset, tailLength: place.length,
                highestInode: highestInode)
            return (summary, count)
        } catch let error as AsofError {
            throw error
        } catch {
            throw AsofError(.failure, "cannot write the base: \(error)")
        }
    }

    /// Merges all keys of one inode; false when it is gone.
    private func mergeInode(_ inode: InodeNumber) throws(AsofError) -> Bool {
        var attributes: Attributes?
        var erased = [ErasedRanges](repeating: ErasedRanges(), count: cursors.count)
        for (number, cursor) in cursors.enumerated() where cursor.key == .inode(inode) {
            if case .inode(let found, let ranges) = try cursor.take() {
                if attributes == nil { attributes = found }
                erased[number] = ranges
            }
        }
        guard let attributes, attributes.links > 0 else {
            for cursor in cursors { while cursor.key?.inode == inode { _ = try cursor.take() } }
            return false
        }
        try append(.inode(inode), .inode(attributes, erased: ErasedRanges()))
        while let key = cursors.compactMap({ $0.key?.inode == inode ? $0.key : nil }).min() {
            if key.kind == .chunk {
                try mergeChunk(key, erased: erased)
            } else {
                var newest: IndexValue?
                for cursor in cursors where cursor.key == key {
                    let value = try cursor.take()
                    if newest == nil { newest = value }
                }
                switch newest {
                case .entry(nil), .extendedAttribute(nil), nil: break
                case .some(let value): try append(key, value)
                }
            }
        }
        return true
    }

    /// Keeps what is behind the file's size, too: bytes may be logged before the size that shows them, and a cut would have erased them.
    private func mergeChunk(_ key: IndexKey, erased: [ErasedRanges]) throws(AsofError) {
        var merged = ExtentMap()
        var wanted = [Chunk.range(key.chunk)]
        for (number, cursor) in cursors.enumerated() {
            if cursor.key == key, case .chunk(let map) = try cursor.take() {
                var rest: [Range<UInt64>] = []
                for range in wanted {
                    for extent in map.overlapping(range) { merged.overwrite(renumbered(extent, of: cursor)) }
                    rest.append(contentsOf: map.gaps(in: range))
                }
                wanted = rest
            }
            wanted = erased[number].removed(from: wanted)
        }
        // Below a base there is nothing: what no extent covers reads as zero, so zeros need no word.
        var kept = ExtentMap()
        for extent in merged.extents where !extent.isZero { kept.overwrite(extent) }
        if !kept.isEmpty { try append(key, .chunk(kept)) }
    }

    /// Only what the base really points into gets a place in its object table.
    private func renumbered(_ extent: Extent, of cursor: Cursor) -> Extent {
        guard !extent.isZero else { return extent }
        var moved = extent
        moved.object = number(of: cursor.objects[Int(extent.object)])
        return moved
    }

    private func number(of object: ObjectReference) -> UInt32 {
        if let known = objectIndex[object] { return known }
        let number = UInt32(objects.count)
        objects.append(object)
        objectIndex[object] = number
        return number
    }

    private func append(_ key: IndexKey, _ value: IndexValue) throws(AsofError) {
        do throws(FrameError) {
            try index.append(key, value, encoder: encoder, sealer: sealer, offset: length, into: &output)
        } catch {
            throw AsofError(.failure, "cannot write a page of the base: \(error)")
        }
    }

    private func take() -> [UInt8] {
        defer { output = [] }
        return output
    }

    private func give(_ bytes: [UInt8], _ write: ([UInt8]) throws(AsofError) -> Void) throws(AsofError) {
        bytes.withUnsafeBytes { hasher.update($0) }
        try write(bytes)
        length += UInt64(bytes.count)
    }

    /// One source and where the merge stands in it.
    private final class Cursor {
        let objects: [ObjectReference]
        private let source: any IndexSource
        private var page: IndexPage?
        private var position = 0

        init(_ source: any IndexSource) throws(AsofError) {
            self.source = source
            objects = source.objects
            page = try source.nextPage()
        }

        var key: IndexKey? { page.flatMap { position < $0.keys.count ? $0.keys[position] : nil } }

        /// The value under `key`, and on to the next.
        func take() throws(AsofError) -> IndexValue? {
            guard let page, position < page.keys.count else { return nil }
            let value: IndexValue
            do {
                value = try page.value(at: position, objects: objects.count)
            } catch {
                throw AsofError(.damaged, "a page of an index is damaged: \(error)")
            }
            position += 1
            if position == page.keys.count {
                let last = page.keys[position - 1]
                self.page = try source.nextPage()
                position = 0
                if let key, key <= last { throw AsofError(.damaged, "the pages of an index are not in order") }
            }
            return value
        }
    }
}
