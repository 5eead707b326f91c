internal import AsofCore
internal import AsofFormat

/// Turns a view into batches, in the order of its walk.
final class RestorePlanner {
    /// How much one batch holds. More is read in better order, and done again after an interruption.
    struct Limits: Sendable {
        var pieces = 200_000
        var files = 50_000
        var bytes: UInt64 = 2 << 30

        /// The same for batches of so many bytes, if that is less. So few that each has to be made durable for itself is too few.
        func holding(_ bytes: UInt64?) -> Limits {
            var limits = self
            if let bytes { limits.bytes = min(self.bytes, max(1 << 20, bytes)) }
            return limits
        }
    }

    /// From so many chunks on, holes are not looked at one by one.
    private static let manyChunks: UInt64 = 64

    let walk: RestoreWalk
    private let view: View
    /// Of the batches to come.
    var limits: Limits
    private var position = RestorePosition()
    /// Everything before it is there already.
    private let start: RestorePosition
    /// The file that the batch before ended in, and its chunks that are left, the last one first.
    private var open: (file: RestoreBatch.File, chunks: [UInt64])?

    init(_ view: View, from start: RestorePosition = RestorePosition(), limits: Limits = Limits()) {
        self.view = view
        self.start = start
        self.limits = limits
        walk = RestoreWalk(view)
    }

    /// Nil: that was all.
    func next() throws(AsofError) -> RestoreBatch? {
        var batch = RestoreBatch()
        let firstFolder = UInt32(walk.folders.count)
        var isEmpty = true
        while batch.pieces.count < limits.pieces, batch.files.count < limits.files, batch.links.count < limits.files, batch.bytes < limits.bytes {
            if open == nil {
                guard let step = try walk.next() else { break }
                let isDone = position.steps < start.steps
                position.steps += 1
                guard !isDone else { continue }
                isEmpty = false
                switch step {
                case .folder: continue
                case .link(let place, let first):
                    batch.links.append(RestoreBatch.Link(place: place, first: first))
                    continue
                case .file(let inode, let attributes, let place):
                    position.steps -= 1
                    let file = RestoreBatch.File(inode: inode, attributes: attributes, place: place)
                    open = (file, try chunks(of: file))
                }
            }
            isEmpty = false
            try add(to: &batch)
        }
        guard !isEmpty else { return nil }
        batch.folders = firstFolder..<UInt32(walk.folders.count)
        batch.end = position
        return batch
    }

    private func chunks(of file: RestoreBatch.File) throws(AsofError) -> [UInt64] {
        guard file.attributes.isRegular, file.attributes.size > 0 else { return [] }
        let count = Chunk.index(of: file.attributes.size - 1) + 1
        let first = position.steps == start.steps ? start.chunk : 0
        if count > Self.manyChunks { return try view.chunks(of: file.inode).filter { $0 >= first && $0 < count }.reversed() }
        return first < count ? (first..<count).reversed() : []
    }

    /// Adds the open file, or as much of it as the batch may hold.
    private func add(to batch: inout RestoreBatch) throws(AsofError) {
        guard var (file, chunks) = open else { return }
        if position.steps == start.steps, start.chunk > 0 { file.begins = false }
        let index = UInt32(batch.files.count)
        while let chunk = chunks.last, batch.pieces.count < limits.pieces, batch.bytes < limits.bytes {
            chunks.removeLast()
            for extent in try view.extents(of: file.inode, chunk: chunk, size: file.attributes.size) where !extent.isZero {
                guard extent.frameLength <= FrameBounds.storedMax else {
                    throw AsofError(.damaged, "an index says that \(walk.folders.path(of: file.place)) is in a frame of \(extent.frameLength) bytes, which cannot be")
                }
                batch.pieces.append(
                    RestoreBatch.Piece(
                        object: extent.object, frameLength: extent.frameLength, frameOffset: extent.frameOffset, skip: extent.skip,
                        length: UInt32(truncatingIfNeeded: extent.length), offset: extent.start, file: index))
                batch.bytes += extent.length
                file.pieces += 1
                file.written = extent.end
            }
            position.chunk = chunk + 1
        }
        file.ends = chunks.isEmpty
        batch.files.append(file)
        if file.ends {
            open = nil
            position.steps += 1
            position.chunk = 0
        } else {
            file.begins = false
            file.pieces = 0
            open = (file, chunks)
        }
    }
}
