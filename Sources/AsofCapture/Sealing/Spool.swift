internal import AsofCore
internal import AsofFormat
internal import AsofFrame
package import AsofRepository
internal import AsofSystem
internal import Glibc

/// What a capture keeps on its host until it is archived: one folder a repository and timeline.
///
///     lock             held while a capture runs; names its process
///     life.json        what is known of the last capture that ran here: CaptureLife
///     control.sock     asks the running capture for its state, or to seal now
///     journal/         the recorder's journal
///     segments/        sealed, waiting for the store; `building-…`: not sealed yet, void after a crash (the journal has it)
///     archived/        kept after archiving (--keep-local)
///     abandoned-…/     what a capture could not archive because another one had taken the timeline over
package struct Spool: Sendable {
    package let folder: String

    package init(stateFolder: String, repository: Repository, timeline: String) {
        folder = "\(stateFolder)/\(repository.id)/\(timeline)"
    }

    package init(folder: String) { self.folder = folder }

    package var controlSocket: String { "\(folder)/control.sock" }
    /// What a follower has stopped now.
    var stopNote: String { "\(folder)/stopped" }
    var journalFolder: String { "\(folder)/journal" }
    package var segmentsFolder: String { "\(folder)/segments" }
    var archivedFolder: String { "\(folder)/archived" }

    func prepare() throws(AsofError) {
        do throws(Errno) {
            for path in [folder, journalFolder, segmentsFolder] { try Durable.makeDirectories(path) }
        } catch {
            throw AsofError(error, "cannot make the spool \(folder)")
        }
    }

    /// Holds the spool until the descriptor is closed.
    func lock(holder: String) throws(AsofError) -> SharedDescriptor {
        let path = "\(folder)/lock"
        do throws(Errno) {
            let descriptor = SharedDescriptor(try SystemCall.open(path, O_RDWR | O_CREAT, mode: 0o600))
            let isOurs = try descriptor.withRaw { raw throws(Errno) in
                guard try SystemCall.tryLockBehindTheDead(raw) else { return false }
                try SystemCall.truncate(raw, to: 0)
                try SystemCall.writeFully(raw, at: 0, Array(holder.utf8))
                return true
            }
            if isOurs { return descriptor }
        } catch {
            throw AsofError(error, "cannot lock \(path)")
        }
        let other = (try? SystemCall.readAll(path: path, limit: 4096)).map { String(decoding: $0, as: UTF8.self) } ?? "another process"
        throw AsofError(.locked, "this timeline is being captured by \(other)", hint: "stop that one first: two captures cannot share a timeline")
    }

    /// Sealed segments that wait for the store, oldest first. What was being built is removed.
    func sealedSegments(repository: Repository) throws(AsofError) -> [SpooledSegment] {
        var result: [SpooledSegment] = []
        for name in try names(in: segmentsFolder) {
            let path = "\(segmentsFolder)/\(name)"
            guard name.hasPrefix("segment-") else {
                try? SystemCall.unlink(path)
                continue
            }
            result.append(try SpooledSegment(reading: path, repository: repository))
        }
        return result.sorted { $0.object.first < $1.object.first }
    }

    /// The newest transaction of the sealed segments, by their names.
    func sealedTransactions() throws(AsofError) -> LSN {
        var newest = LSN.zero
        for name in try names(in: segmentsFolder) where name.hasPrefix("segment-") {
            let numbers = name.split { $0 == "-" || $0 == "." }
            if numbers.count == 4, let last = UInt64(numbers[2]) { newest = max(newest, LSN(last)) }
        }
        return newest
    }

    private func names(in path: String) throws(AsofError) -> [String] {
        var names: [String] = []
        do throws(Errno) {
            let reader = try DirectoryReader(path)
            while let entry = try reader.next() {
                if entry.kind != .directory { names.append(entry.name.description) }
            }
        } catch {
            throw AsofError(error, "cannot read \(path)")
        }
        return names
    }

    /// Bytes of files in the spool's folders.
    func usedBytes() -> UInt64 {
        var total: UInt64 = 0
        for folder in [journalFolder, segmentsFolder] {
            for name in (try? names(in: folder)) ?? [] {
                if let status = try? SystemCall.status("\(folder)/\(name)", following: false) { total += status.attributes.size }
            }
        }
        return total
    }

    /// Moves journal and segments aside; a fenced capture's data is never dropped.
    func abandon(epoch: UInt64) throws(AsofError) -> String {
        let target = "\(folder)/abandoned-\(epoch)-\(SystemClock.now().seconds)"
        do throws(Errno) {
            try Durable.makeDirectories(target)
            try SystemCall.rename(at: AT_FDCWD, journalFolder, to: AT_FDCWD, "\(target)/journal")
            try SystemCall.rename(at: AT_FDCWD, segmentsFolder, to: AT_FDCWD, "\(target)/segments")
        } catch {
            throw AsofError(error, "cannot move the spool of the fenced capture to \(target)")
        }
        try prepare()
        return target
    }
}

/// A sealed segment in the spool.
struct SpooledSegment: Sendable {
    var object: SealedObject
    var path: String

    init(object: SealedObject, path: String) {
        self.object = object
        self.path = path
    }

    /// Reads back what the head must say of a segment that an earlier life sealed.
    init(reading path: String, repository: Repository) throws(AsofError) {
        let bytes: [UInt8]
        do throws(Errno) { bytes = try SystemCall.readAll(path: path) } catch { throw AsofError(error, "cannot read \(path)") }
        do {
            object = try SealedObject.reading(bytes, of: repository).object
            self.path = path
        } catch {
            throw AsofError(.damaged, "\(path) is damaged: \(error)", hint: "move it aside; the states it holds are lost, and a gap must be declared")
        }
    }
}
