import AsofCore
import AsofFormat
import AsofFrame
import AsofRepository
import AsofSystem
import AsofTestSupport
@testable import AsofView
import Testing

/// Restores that end in the middle of a file and go on there.
@Suite("Restore, resumed")
struct RestoreResumptionTests {
    /// Stops a restore as soon as more of it is noted than was at its start.
    private func stopWhenNoted(_ folder: RestoreFolder, _ progress: RestoreProgress) throws -> NamedThread {
        let start = folder.known.done
        return try NamedThread("stopper") {
            while !progress.isStopped, folder.known.done == start { SystemClock.sleep(.microseconds(200)) }
            progress.stop()
        }
    }

    /// A process that another test begins holds the lock of the life before until it is the program that it is to be.
    private func open(_ site: RestoreSite, _ state: RestoreState) throws -> RestoreFolder {
        var attempts = 0
        while true {
            do throws(AsofError) { return try RestoreFolder(at: site.path(repository: state.repository), site, new: state) } catch {
                guard error.code == .locked, attempts < 1000 else { throw error }
                attempts += 1
                SystemClock.sleep(.milliseconds(5))
            }
        }
    }

    @Test func `a file larger than a batch goes on in its middle, however often it is interrupted`() throws {
        var (restored, interrupted, withinFiles) = (0, 0, 0)
        histories: for seed in 0..<24 as Range<UInt64> {
            let history = try RecordedHistory(.varied(seed: seed))
            let reader = ObjectReader(repository: history.repository)
            let cut = try history.timeline.resolve(.latest, head: history.head, reader: reader)
            let view = try View(cut, of: history.timeline, head: history.head, reader: reader)
            let place = try TemporaryDirectory("resumption")
            let site = RestoreSite(place.path("out"), isInPlace: false)
            let repository = history.repository.id.description
            var isDone = false
            while !isDone {
                let folder = try open(site, RestoreState(repository: repository, timeline: "main", lsn: cut.lsn, asked: "latest"))
                if folder.known.done.chunk > 0 { withinFiles += 1 }
                let progress = RestoreProgress()
                let stopper = try stopWhenNoted(folder, progress)
                defer {
                    progress.stop()
                    stopper.join()
                }
                let restore = Restore(
                    view, repository: history.repository, folder: folder, options: Restore.Options(), progress: progress,
                    limits: RestorePlanner.Limits(pieces: 2, files: 3, bytes: 50_000))
                do throws(AsofError) {
                    try restore.run()
                    try folder.switchOver()
                    isDone = true
                } catch {
                    // Some histories have devices, names or extended attributes that no file system takes.
                    guard error.code == .interrupted else { continue histories }
                    interrupted += 1
                }
            }
            restored += 1
            try expectSame(view, place, seed)
            #expect(try place.names() == ["out"])
        }
        #expect(restored > 3 && interrupted > 20 && withinFiles > 5, "\(restored) restored, \(interrupted) interruptions, \(withinFiles) within a file")
    }

    /// Bytes and sizes of all files.
    private func expectSame(_ view: View, _ place: TemporaryDirectory, _ seed: UInt64) throws {
        let walk = RestoreWalk(view)
        while let step = try walk.next() {
            guard case .file(let inode, let attributes, let at) = step, attributes.isRegular, attributes.size <= 8 << 20 else { continue }
            // The path in bytes: names need not be text.
            var (names, number) = ([at.name.bytes], at.folder)
            while let above = walk.folders[number].place {
                names.append(above.name.bytes)
                number = above.folder
            }
            let path = Array(place.path("out").utf8) + names.reversed().flatMap { [0x2F] + $0 }
            guard path.count < 4000 else { continue }
            var want = [UInt8](repeating: 0, count: Int(attributes.size))
            _ = try want.withUnsafeMutableBytes { (buffer) throws(AsofError) in try view.read(inode, size: attributes.size, offset: 0, into: buffer) }
            #expect(try SystemCall.readAll(path: path, limit: 16 << 20) == want, "seed \(seed), \(at.name)")
        }
    }
}
