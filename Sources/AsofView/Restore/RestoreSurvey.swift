package import AsofCore
package import AsofRepository
package import AsofFormat
internal import AsofSystem

/// What restoring a view takes, found in its index alone: counted by the same batches that a restore goes through.
package struct RestoreSurvey {
    /// Those that have bytes to read, and the others.
    package var files: UInt64 = 0
    package var folders: UInt64 = 0
    package var links: UInt64 = 0
    /// Of the files, holes left out.
    package var bytes: UInt64 = 0
    /// Blocks that the files take on the target, in bytes; less what an interrupted restore left there of them.
    package var space: UInt64 = 0
    /// Read from the repository, of how many objects.
    package var storedBytes: UInt64 = 0
    package var objects: [ObjectReference] = []
    /// What was walked through, where it was little enough to be kept: the restore needs not walk again.
    private(set) var walked: (planner: RestorePlanner, batch: RestoreBatch)?
    /// Evenly spread over what is to be read.
    private var sample: [(object: ObjectReference, range: Range<UInt64>, frames: [(offset: UInt64, length: UInt32)])] = []

    /// Folders, files and whatever else has an inode of its own.
    package var inodes: UInt64 { files + folders }

    /// `from`: what a restore has done already is left out. `left`: the tree in which an interrupted one left files that are made anew.
    package init(_ view: View, from start: RestorePosition, left: String? = nil, blockSize: UInt64, progress: RestoreProgress) throws(AsofError) {
        var freed: UInt64 = 0
        let planner = RestorePlanner(view, from: start)
        var numbers: Set<UInt32> = []
        var (count, batches) = (0, 0)
        while var batch = try planner.next() {
            batches += 1
            guard !progress.isStopped else { throw AsofError(.interrupted, "interrupted") }
            files += UInt64(batch.files.count { $0.ends })
            links += UInt64(batch.links.count)
            if let left {
                for file in batch.files where file.begins {
                    freed += (try? SystemCall.status("\(left)/\(planner.walk.folders.path(of: file.place))", following: false))?.blocks ?? 0
                }
            }
            bytes += batch.bytes
            var blocks = [UInt64](repeating: 0, count: batch.files.count)
            for piece in batch.pieces { blocks[Int(piece.file)] += UInt64(piece.length) }
            space += blocks.reduce(0) { $0 + ($1 + blockSize - 1) / blockSize * blockSize }
            for stretch in Stretch.cut(&batch.pieces) {
                storedBytes += UInt64(stretch.range.count)
                numbers.insert(stretch.object)
                count += 1
                // Every one at first, then fewer and fewer.
                if count & (count - 1) == 0 || count % 64 == 0, sample.count < 48 {
                    var frames: [(offset: UInt64, length: UInt32)] = []
                    for piece in batch.pieces[stretch.pieces] where frames.last?.offset != piece.frameOffset { frames.append((piece.frameOffset, piece.frameLength)) }
                    sample.append((view.object(stretch.object), stretch.range, frames))
                }
            }
            if batches == 1 { walked = (planner, batch) }
        }
        if batches != 1 { walked = nil }
        folders = UInt64(planner.walk.folders.count)
        space += folders * blockSize
        space -= min(space, freed * 512)
        objects = numbers.sorted().map { view.object($0) }
    }

    /// Reads and decodes a sample: stored bytes a second, of one thread. Nil: there is nothing to read. Damage is thrown.
    package func rate(_ repository: Repository) throws(AsofError) -> Double? {
        let reader = StretchReader(repository)
        let start = SystemClock.monotonicNanoseconds()
        var read = 0
        for piece in sample where SystemClock.monotonicNanoseconds() - start < 1_000_000_000 {
            try reader.fetch(piece.object, piece.range)
            for frame in piece.frames { _ = try reader.frame(at: frame.offset, length: frame.length) }
            read += piece.range.count
        }
        let took = SystemClock.monotonicNanoseconds() - start
        return read == 0 || took == 0 ? nil : Double(read) / (Double(took) / 1e9)
    }
}
