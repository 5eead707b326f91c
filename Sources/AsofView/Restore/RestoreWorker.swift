internal import AsofCore
internal import AsofRepository
internal import AsofSystem

/// One thread's part in a batch: reads stretches, decodes each frame once, and writes its pieces to the files that they belong to.
final class RestoreWorker {
    private let reader: StretchReader
    private let tree: RestoredTree
    private let view: View
    private let shared: RestoreProgress

    /// From so many bytes of a file on, the disk is told to begin.
    private static let early = 1 << 20
    /// What is written at a time: a rate is kept from one to the next.
    private static let longestWrite = 1 << 20

    init(_ repository: Repository, _ tree: RestoredTree, _ view: View, _ shared: RestoreProgress) {
        reader = StretchReader(repository)
        self.tree = tree
        self.view = view
        self.shared = shared
    }

    func makeBare(_ files: ArraySlice<UInt32>, of batch: RestoreBatch) throws(AsofError) {
        for number in files {
            let file = batch.files[Int(number)]
            try tree.makeBare(file)
            if file.ends { shared.finished() }
        }
    }

    /// What is damaged goes to `damage`, and the rest goes on. `pace` returns when so many bytes may be written.
    func restore(
        _ stretch: Stretch, of batch: RestoreBatch, _ left: Lock<[Int32]>, _ damage: RestoreDamage, _ pace: (Int) throws(AsofError) -> Void
    ) throws(AsofError) {
        let object = view.object(stretch.object)
        var pieces = stretch.pieces
        do throws(AsofError) { try reader.fetch(object, stretch.range) } catch {
            guard error.code == .damaged else { throw error }
            let first = batch.pieces[pieces.lowerBound]
            guard pieces.contains(where: { batch.pieces[$0].frameOffset != first.frameOffset }) else {
                return damage.note(error, pieces.map { batch.pieces[$0].file })
            }
            // An object that is too short has its first frames: they are fetched one by one.
            while !pieces.isEmpty {
                let piece = batch.pieces[pieces.lowerBound]
                let same = pieces.prefix { batch.pieces[$0].frameOffset == piece.frameOffset && batch.pieces[$0].frameLength == piece.frameLength }
                let frame = Stretch(object: stretch.object, range: piece.frameRange, pieces: same)
                try restore(frame, of: batch, left, damage, pace)
                pieces = same.upperBound..<pieces.upperBound
            }
            return
        }
        while let first = pieces.first {
            let number = batch.pieces[first].file
            // A file's pieces follow each other in most frames: one open for all of them.
            let same = pieces.prefix { batch.pieces[$0].file == number }
            pieces = same.upperBound..<pieces.upperBound
            try fill(batch.files[Int(number)], number, same, of: batch, left, damage, pace)
        }
    }

    private func fill(
        _ file: RestoreBatch.File, _ number: UInt32, _ pieces: Range<Int>, of batch: RestoreBatch, _ left: Lock<[Int32]>, _ damage: RestoreDamage,
        _ pace: (Int) throws(AsofError) -> Void
    ) throws(AsofError) {
        let descriptor = try tree.open(file)
        var written = 0
        for index in pieces {
            let piece = batch.pieces[index]
            let frame: UnsafeRawBufferPointer
            do throws(AsofError) { frame = try content(of: piece) } catch {
                guard error.code == .damaged else { throw error }
                damage.note(error, [number])
                continue
            }
            let (skip, length) = (Int(piece.skip), Int(piece.length))
            guard skip + length <= frame.count else {
                let name = ObjectName.of(view.object(piece.object))
                damage.note(AsofError(.damaged, "\(name) is damaged: the frame at \(piece.frameOffset) holds \(frame.count) bytes, \(skip + length) are needed"), [number])
                continue
            }
            for start in stride(from: 0, to: length, by: Self.longestWrite) {
                let count = min(Self.longestWrite, length - start)
                try pace(count)
                try tree.write(file, descriptor, at: piece.offset + UInt64(start), UnsafeRawBufferPointer(rebasing: frame[(skip + start)...].prefix(count)))
            }
            written += length
            CrashPoint.reach("restore.piece.written")
        }
        shared.wrote(written)
        let rest = left.withLock { left in
            left[Int(number)] -= Int32(pieces.count)
            return left[Int(number)]
        }
        if rest == 0, file.ends, !damage.holds(number) {
            try tree.finish(file, descriptor)
            shared.finished()
        }
        if written >= Self.early { SystemCall.startWriting(descriptor.raw) }
        do throws(Errno) { try descriptor.close() } catch { throw AsofError(error, "cannot write \(tree.folders.path(of: file.place))") }
    }

    /// The frame that was decoded last, for the pieces of it that follow.
    private var last: (offset: UInt64, length: UInt32, object: UInt32, content: UnsafeRawBufferPointer)?

    private func content(of piece: RestoreBatch.Piece) throws(AsofError) -> UnsafeRawBufferPointer {
        if let last, last.offset == piece.frameOffset, last.length == piece.frameLength, last.object == piece.object { return last.content }
        last = nil
        let content = try reader.frame(at: piece.frameOffset, length: piece.frameLength)
        last = (piece.frameOffset, piece.frameLength, piece.object, content)
        return content
    }
}
