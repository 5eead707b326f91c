import AsofCore
import AsofFormat
import AsofRepository
@testable import AsofView
import AsofTestSupport
import Testing

/// Plans of random histories.
@Suite("Restore")
struct RestoreTests {
    private static let small = RestorePlanner.Limits(pieces: 3, files: 4, bytes: 100_000)

    private func view(_ history: RecordedHistory) throws -> View {
        let reader = ObjectReader(repository: history.repository)
        let cut = try history.timeline.resolve(.latest, head: history.head, reader: reader)
        return try View(cut, of: history.timeline, head: history.head, reader: reader)
    }

    private func batches(_ view: View, from start: RestorePosition = RestorePosition(), _ limits: RestorePlanner.Limits) throws -> [RestoreBatch] {
        let planner = RestorePlanner(view, from: start, limits: limits)
        var all: [RestoreBatch] = []
        while let batch = try planner.next() { all.append(batch) }
        return all
    }

    @Test func `small batches hold what one large batch does, and each end is a place to go on from`() throws {
        for seed in 0..<12 as Range<UInt64> {
            let view = try view(try RecordedHistory(.varied(seed: seed)))
            func summary(_ batches: [RestoreBatch]) -> Set<String> {
                Set(batches.flatMap { batch in batch.pieces.map { "\(batch.files[Int($0.file)].inode) \($0.offset) \($0.length) \($0.frameOffset) \($0.skip)" } })
            }
            let (whole, parts) = (try batches(view, RestorePlanner.Limits()), try batches(view, Self.small))
            #expect(summary(whole) == summary(parts), "seed \(seed)")
            #expect(whole.flatMap(\.files).count == parts.flatMap(\.files).count { $0.ends })
            #expect(whole.flatMap(\.links).count == parts.flatMap(\.links).count)
            for (index, part) in parts.enumerated() {
                let rest = try batches(view, from: part.end, Self.small)
                #expect(summary(rest) == summary(Array(parts[(index + 1)...])), "seed \(seed), from batch \(index + 1)")
            }
        }
    }

    @Test func `stretches are in the order of storage, and read no frame twice`() throws {
        for seed in 0..<12 as Range<UInt64> {
            let view = try view(try RecordedHistory(.varied(seed: seed)))
            for var batch in try batches(view, RestorePlanner.Limits()) {
                let count = batch.pieces.count
                let stretches = Stretch.cut(&batch.pieces)
                #expect(stretches.map(\.pieces.count).reduce(0, +) == count)
                for (one, next) in zip(stretches, stretches.dropFirst()) where one.object == next.object {
                    #expect(one.range.upperBound <= next.range.lowerBound, "seed \(seed)")
                }
                for stretch in stretches {
                    #expect(stretch.range.count <= StretchReader.longest)
                    for piece in batch.pieces[stretch.pieces] {
                        #expect(stretch.range.contains(piece.frameOffset) && piece.frameOffset + UInt64(piece.frameLength) <= stretch.range.upperBound)
                    }
                }
            }
        }
    }

    /// A restore writes the pieces of a plan into files that are empty and as long as they should be.
    @Test(arguments: 0..<12 as Range<UInt64>)
    func `the pieces of a plan, put together, are the files, and what lies between them is zero`(seed: UInt64) throws {
        let history = try RecordedHistory(.varied(seed: seed))
        let view = try view(history)
        let reader = StretchReader(history.repository)
        var contents: [InodeNumber: [UInt8]] = [:]
        for var batch in try batches(view, Self.small) {
            for file in batch.files where file.attributes.isRegular && file.attributes.size <= 4 << 20 && contents[file.inode] == nil {
                contents[file.inode] = [UInt8](repeating: 0, count: Int(file.attributes.size))
            }
            for stretch in Stretch.cut(&batch.pieces) {
                try reader.fetch(view.object(stretch.object), stretch.range)
                for piece in batch.pieces[stretch.pieces] {
                    let frame = try reader.frame(at: piece.frameOffset, length: piece.frameLength)
                    let (start, skip, length) = (Int(piece.offset), Int(piece.skip), Int(piece.length))
                    contents[batch.files[Int(piece.file)].inode]?.replaceSubrange(start..<start + length, with: frame[skip..<skip + length])
                }
            }
        }
        for (inode, content) in contents {
            var want = [UInt8](repeating: 1, count: content.count)
            _ = try want.withUnsafeMutableBytes { (buffer) throws(AsofError) in
                try view.read(inode, size: UInt64(content.count), offset: 0, into: buffer)
            }
            #expect(content == want, "seed \(seed), inode \(inode)")
        }
        #expect(!contents.isEmpty)
    }

    @Test func `every name but the first of a file is a link of it`() throws {
        var links = 0
        for seed in 0..<12 as Range<UInt64> {
            let view = try view(try RecordedHistory(.varied(seed: seed)))
            let walk = RestoreWalk(view)
            var firsts: [RestoredPlace: InodeNumber] = [:]
            while let step = try walk.next() {
                switch step {
                case .folder: continue
                case .file(let inode, _, let place): firsts[place] = inode
                case .link(let place, let first):
                    links += 1
                    let inode = try view.entry(place.name, in: walk.folders[place.folder].inode)
                    #expect(firsts[first] == inode && inode != nil, "seed \(seed)")
                }
            }
            #expect(Set(firsts.values).count == firsts.count, "seed \(seed): a file has two first names")
        }
        #expect(links > 0)
    }
}
