package import AsofCore
internal import AsofFormat
package import AsofRepository
internal import AsofSystem

/// The directory at a cut, read-only, resolved lazily: a base, the segments above it, and the part of the cut's own segment.
/// Holds no file's state; safe from many threads.
package final class View: Sendable {
    package let cut: Cut
    package let timeline: String
    private let reader: ObjectReader
    private let stack: Lock<Stack>
    private let history: (timeline: Timeline, head: Head)
    private let chunks = TwoGenerationCache<ChunkKey, ResolvedChunk>(limit: 4 << 20)
    private let objects = Lock<ObjectTable>(ObjectTable())
    private let log: TransactionReader
    private let exactness = Lock<Bool?>(nil)

    private struct ChunkKey: Hashable {
        var inode: InodeNumber
        var chunk: UInt64
    }

    /// A chunk's extents, their object numbers those of the view's own table.
    private struct ResolvedChunk: Sendable {
        var map: ExtentMap
    }

    private struct Stack {
        /// Newest first.
        var layers: [any Layer]
        /// How many bases the reader had given up when it was put up.
        var givenUp: Int
    }

    private struct ObjectTable {
        var references: [ObjectReference] = []
        var numbers: [ObjectReference: UInt32] = [:]
    }

    /// Reads the tails of the runs involved and, for a cut inside a segment, the operations up to it.
    package init(_ cut: Cut, of timeline: Timeline, head: Head, reader: ObjectReader) throws(AsofError) {
        self.cut = cut
        self.timeline = timeline.name
        self.reader = reader
        log = TransactionReader(timeline, head: head, reader: reader)
        history = (timeline, head)
        stack = Lock(try Self.stack(cut, timeline, head, reader))
    }

    private static func stack(_ cut: Cut, _ timeline: Timeline, _ head: Head, _ reader: ObjectReader) throws(AsofError) -> Stack {
        // Before: what another reader gives up meanwhile may be among the layers.
        let givenUp = reader.givenUp
        let layers = try timeline.layers(at: cut.lsn, head: head, reader: reader)
        return Stack(
            layers: layers.map { layer -> any Layer in
                switch layer {
                case .run(let run): RunLayer(run)
                case .part(let part): ReplayedLayer(part.changes, objects: part.objects)
                }
            }, givenUp: givenUp)
    }

    /// Runs `body` on the layers; again on others where a base among them turns out to be damaged. What a base says the log says, too.
    private func looking<Value>(_ body: ([any Layer]) throws(AsofError) -> Value) throws(AsofError) -> Value {
        while true {
            let now = stack.withLock { $0 }
            do throws(AsofError) { return try body(now.layers) } catch {
                guard error.code == .damaged, reader.givenUp > now.givenUp else { throw error }
                let next = try Self.stack(cut, history.timeline, history.head, reader)
                stack.withLock { if $0.givenUp < next.givenUp { $0 = next } }
            }
        }
    }

    /// Reads what every use of the view begins with, the root and its names, so that damage there is told before anybody relies on it.
    package func open() throws(AsofError) {
        guard try attributes(of: .root)?.isDirectory ?? false else {
            throw AsofError(
                .damaged, "the state of lsn:\(cut.lsn) has no root directory: an index that it is read from is damaged",
                hint: "restore the repository from a copy; other instants may mount")
        }
        _ = try entries(of: .root)
    }

    /// Gives memory back that will not be needed soon.
    package func forgetCached() {
        reader.forgetCached()
        chunks.removeAll()
    }

    /// False: the log says that some files of this state may be torn.
    package func isExact() throws(AsofError) -> Bool {
        if let known = exactness.withLock({ $0 }) { return known }
        var isExact = true
        try log.each(from: cut.lsn, to: cut.lsn) { transaction throws(AsofError) in isExact = !transaction.verb.isFuzzy }
        exactness.withLock { $0 = isExact }
        return isExact
    }

    /// Nil: there is no such inode in the directory.
    package func attributes(of inode: InodeNumber) throws(AsofError) -> Attributes? {
        try looking { layers throws(AsofError) in
            for layer in layers where layer.knows(inode) {
                if let found = try layer.inode(inode) { return found.attributes.links == 0 ? nil : found.attributes }
            }
            return nil
        }
    }

    package func entry(_ name: Name, in parent: InodeNumber) throws(AsofError) -> InodeNumber? {
        try looking { layers throws(AsofError) in
            for layer in layers where layer.knows(parent) {
                if let found = try layer.entry(parent, name) { return found }
            }
            return nil
        }
    }

    /// All names of a directory, sorted.
    package func entries(of directory: InodeNumber) throws(AsofError) -> [(name: Name, inode: InodeNumber)] {
        let merged = try newest(directory) { layer, body throws(AsofError) in try layer.entries(directory, body) }
        return merged.map { (name: $0.key, inode: $0.value) }.sorted { $0.name < $1.name }
    }

    /// All extended attributes of an inode.
    package func extendedAttributes(of inode: InodeNumber) throws(AsofError) -> [Name: [UInt8]] {
        try newest(inode) { layer, body throws(AsofError) in try layer.extendedAttributes(inode, body) }
    }

    package func symbolicLink(_ inode: InodeNumber) throws(AsofError) -> [UInt8]? {
        try looking { layers throws(AsofError) in
            for layer in layers where layer.knows(inode) {
                if let target = try layer.symbolicLink(inode) { return target }
            }
            return nil
        }
    }

    /// The newest word on each name, over all layers; removed names left out.
    private func newest<Value>(
        _ inode: InodeNumber, _ scan: (any Layer, _ body: (Name, Value?) -> Void) throws(AsofError) -> Void
    ) throws(AsofError) -> [Name: Value] {
        try looking { layers throws(AsofError) in
            var merged: [Name: Value?] = [:]
            for layer in layers where layer.knows(inode) {
                try scan(layer) { name, value in
                    if merged[name] == nil { merged[name] = .some(value) }
                }
            }
            return merged.compactMapValues { $0 }
        }
    }

    /// Fills `buffer` with the file's bytes from `offset`; `size` is the file's. Returns the count: fewer only at the end of the file.
    package func read(
        _ inode: InodeNumber, size: UInt64, offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(AsofError) -> Int {
        guard offset < size else { return 0 }
        let count = Int(min(UInt64(buffer.count), size - offset))
        let end = offset + UInt64(count)
        var position = offset
        while position < end {
            let index = Chunk.index(of: position)
            let range = position..<min(end, Chunk.range(index).upperBound)
            let map = try resolved(inode, chunk: index, size: size).map
            try fill(buffer, from: map, range, base: offset)
            position = range.upperBound
        }
        return count
    }

    /// Where the bytes of a chunk are, sorted; their objects are `object(_:)`'s. `size` is the file's. What is in no extent is zero.
    func extents(of inode: InodeNumber, chunk: UInt64, size: UInt64) throws(AsofError) -> [Extent] {
        try resolved(inode, chunk: chunk, size: size).map.extents
    }

    /// The object that a number in this view's extents means.
    func object(_ number: UInt32) -> ObjectReference { objects.withLock { $0.references[Int(number)] } }

    /// The chunks that any layer says something of, in order: of a file that is mostly holes, few of many.
    func chunks(of inode: InodeNumber) throws(AsofError) -> [UInt64] {
        try looking { layers throws(AsofError) in
            var numbers: Set<UInt64> = []
            for layer in layers where layer.knows(inode) { try layer.chunks(inode) { numbers.insert($0) } }
            return numbers.sorted()
        }
    }

    /// True: nothing is stored for any byte of the range, so that it reads as zero. `size` is the file's.
    package func isHole(_ range: Range<UInt64>, of inode: InodeNumber, size: UInt64) throws(AsofError) -> Bool {
        let range = range.clamped(to: 0..<size)
        guard !range.isEmpty else { return true }
        let (first, last) = (Chunk.index(of: range.lowerBound), Chunk.index(of: range.upperBound - 1))
        // Of a few chunks each is asked for; of many the ones that there are.
        let chunks = last - first < 64 ? Array(first...last) : try chunks(of: inode).filter { $0 >= first && $0 <= last }
        for chunk in chunks {
            for extent in try extents(of: inode, chunk: chunk, size: size) where !extent.isZero && extent.start < range.upperBound && extent.end > range.lowerBound {
                return false
            }
        }
        return true
    }

    private func fill(
        _ buffer: UnsafeMutableRawBufferPointer, from map: ExtentMap, _ range: Range<UInt64>, base: UInt64
    ) throws(AsofError) {
        var position = range.lowerBound
        func zero(upTo end: UInt64) {
            guard end > position else { return }
            buffer[Int(position - base)..<Int(end - base)].initializeMemory(as: UInt8.self, repeating: 0)
            position = end
        }
        for extent in map.overlapping(range) {
            zero(upTo: extent.start)
            guard !extent.isZero else {
                zero(upTo: extent.end)
                continue
            }
            let object = objects.withLock { $0.references[Int(extent.object)] }
            let frame = try reader.payload(object, at: extent.frameOffset, length: extent.frameLength)
            let skip = Int(extent.skip)
            let length = Int(extent.length)
            guard skip + length <= frame.count else {
                throw AsofError(
                    .damaged,
                    "\(ObjectName.of(object)) is damaged: the frame at \(extent.frameOffset) holds \(frame.count) bytes, \(skip + length) are needed")
            }
            let target = UnsafeMutableRawBufferPointer(rebasing: buffer[Int(position - base)..<Int(position - base) + length])
            frame.withUnsafeBytes { target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[skip..<skip + length])) }
            position = extent.end
        }
        zero(upTo: range.upperBound)
    }

    /// Where each byte of a chunk is: the newest layer first, until everything below the file's size is known; what a layer erased
    /// hides what is older.
    private func resolved(_ inode: InodeNumber, chunk: UInt64, size: UInt64) throws(AsofError) -> ResolvedChunk {
        try chunks.value(for: ChunkKey(inode: inode, chunk: chunk)) { () throws(AsofError) in
            let map = try self.looking { layers throws(AsofError) in try self.map(inode, chunk, size, layers) }
            return (ResolvedChunk(map: map), map.extents.count * MemoryLayout<Extent>.stride + 128)
        }
    }

    private func map(_ inode: InodeNumber, _ chunk: UInt64, _ size: UInt64, _ layers: [any Layer]) throws(AsofError) -> ExtentMap {
        let bounds = Chunk.range(chunk)
        var wanted = [bounds.lowerBound..<min(bounds.upperBound, size)]
        var map = ExtentMap()
        for layer in layers where layer.knows(inode) {
            if let found = try layer.chunk(inode, chunk) {
                let renumbered = self.renumbered(found, layer.objects)
                var rest: [Range<UInt64>] = []
                for range in wanted {
                    for extent in renumbered.overlapping(range) { map.overwrite(extent) }
                    rest.append(contentsOf: renumbered.gaps(in: range))
                }
                wanted = rest
            }
            if wanted.isEmpty { break }
            if let erased = try layer.inode(inode)?.erased { wanted = erased.removed(from: wanted) }
            if wanted.isEmpty { break }
        }
        return map
    }

    private func renumbered(_ map: ExtentMap, _ table: [ObjectReference]) -> ExtentMap {
        objects.withLock { known in
            var result = ExtentMap()
            for extent in map.extents {
                var copy = extent
                if !extent.isZero {
                    let reference = table[Int(extent.object)]
                    if let number = known.numbers[reference] {
                        copy.object = number
                    } else {
                        copy.object = UInt32(known.references.count)
                        known.numbers[reference] = copy.object
                        known.references.append(reference)
                    }
                }
                result.overwrite(copy)
            }
            return result
        }
    }
}
