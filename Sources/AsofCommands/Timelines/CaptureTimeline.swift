internal import AsofCapture
internal import AsofCommandLine
internal import AsofCore
internal import AsofFrame
internal import AsofRepository
internal import AsofStore
internal import AsofSystem
internal import Glibc

/// In which timeline the capture of a directory goes on: the one that was asked for, unless the directory was restored from this
/// repository. Then that would put two histories into one, and it goes on in a child that leaves its parent at the restored state.
struct CaptureTimeline {
    private enum Way {
        /// Nothing is to be done first.
        case goesOn
        /// The timeline leaves its parent at the directory's state, and is its own from now on.
        case takes(DirectoryOrigin)
        /// A new child; nil: with a name of its own.
        case branches(from: Timeline, head: Head, DirectoryOrigin, name: String?)
    }

    private let session: Session
    private let directory: String
    private let way: Way

    init(_ invocation: Invocation, _ session: Session, of directory: String) throws(AsofError) {
        self.directory = directory
        let repository = session.repository
        guard let origin = try DirectoryOrigin.read(directory), origin.repository == repository.id.description else {
            (self.session, way) = (session, .goesOn)
            return
        }
        let parent = try repository.timeline(origin.timeline)
        guard let head = try parent.loadHead(), head.last >= LSN(origin.lsn) else {
            throw AsofError(
                .failure, "\(directory) is of lsn:\(origin.lsn) of timeline \(origin.timeline), which is not in \(repository.store.description)",
                hint: "remove \(DirectoryOrigin.attribute) (setfattr -x \(DirectoryOrigin.attribute) \(directory)) to capture it as if it had never been restored")
        }
        let asked = invocation.origin(of: "timeline") == .commandLine ? session.timeline : nil
        if let asked, try !Self.isAmong(asked.name, parent, head) {
            self.session = session
            way = try Self.named(asked, origin, parent, head, directory)
        } else if origin.isCaptured {
            (self.session, way) = (session.on(parent), .goesOn)
        } else if head.isUntouchedBranch, head.parent?.lsn == LSN(origin.lsn) {
            (self.session, way) = (session.on(parent), .takes(origin))
        } else {
            (self.session, way) = (session.on(parent), .branches(from: parent, head: head, origin, name: nil))
        }
    }

    /// True for the directory's own timeline and those that it goes on from: who names one of them asks for no other.
    private static func isAmong(_ name: String, _ timeline: Timeline, _ head: Head) throws(AsofError) -> Bool {
        var lineage = Lineage(timeline, head: head)
        while let generation = try lineage.next() { if generation.timeline.name == name { return true } }
        return false
    }

    private static func named(
        _ asked: Timeline, _ origin: DirectoryOrigin, _ parent: Timeline, _ head: Head, _ directory: String
    ) throws(AsofError) -> Way {
        let there = try asked.loadHead()
        if !origin.isCaptured, there == nil { return .branches(from: parent, head: head, origin, name: asked.name) }
        let owner = try parent.owner(of: LSN(origin.lsn), head: head).timeline.name
        if !origin.isCaptured, let there, there.isUntouchedBranch, there.parent?.timeline == owner, there.parent?.lsn == LSN(origin.lsn) {
            return .takes(origin)
        }
        let what = origin.isCaptured ? "\(directory) is captured in timeline \(origin.timeline)" : "\(directory) is of lsn:\(origin.lsn) of timeline \(origin.timeline)"
        let other = there == nil ? "timeline \(asked.name) would be another history" : "timeline \(asked.name) does not go on from there"
        throw AsofError(
            .failure, "\(what): \(other)",
            hint: "leave --timeline out\(origin.isCaptured ? "" : ", or name a new one"); to capture it as if it had never been restored: setfattr -x \(DirectoryOrigin.attribute) \(directory)")
    }

    /// Makes what must be there first, and says so.
    func prepare(isQuiet: Bool) throws(AsofError) -> Session {
        switch way {
        case .goesOn: return session
        case .takes(let origin):
            let lock = try claim(origin)
            defer { withExtendedLifetime(lock) {} }
            try own(origin, in: session.timeline, CutPoint(lsn: LSN(origin.lsn), time: try time(origin)))
            return session
        case .branches(let parent, let head, let origin, let name):
            archiveWhatWaits(on: parent)
            let lock = try claim(origin)
            defer { withExtendedLifetime(lock) {} }
            // A child of which the directory does not know would be made again by each start.
            try origin.write(to: directory)
            let cut = try parent.cut(LSN(origin.lsn), head: head, reader: ObjectReader(repository: session.repository, onBrokenBase: Console.note(brokenBase:)))
            let child: Timeline
            if let name {
                child = try session.repository.timeline(name)
                _ = try child.branch(from: parent, at: cut, head: head)
            } else {
                child = try parent.makeChild(at: cut, head: head).timeline
            }
            try own(origin, in: child, CutPoint(lsn: cut.lsn, time: cut.time))
            if !isQuiet {
                Console.note("\(directory) was restored from lsn:\(cut.lsn) of timeline \(parent.name) (\(cut.time)): its capture goes on in the new timeline \(child.name); `asof timeline list` shows both")
            }
            return session.on(child)
        }
    }

    /// Takes the directory as a capture of it does: of several that start at once one decides where it goes on.
    private func claim(_ origin: DirectoryOrigin) throws(AsofError) -> OwnedDescriptor {
        let root: OwnedDescriptor
        do throws(Errno) { root = try SystemCall.open(directory, O_RDONLY | O_DIRECTORY) } catch { throw AsofError(error, directory) }
        // Where a file system knows no locks there is none.
        guard (try? SystemCall.tryLock(root.raw)) != false, try DirectoryOrigin.read(directory) == origin else {
            throw AsofError(.locked, "\(directory) is being captured by another asof", hint: "`asof status` says in which timeline; stop that one first")
        }
        return root
    }

    /// What the parent's last capture acknowledged and had not archived yet: nobody opens its spool again.
    private func archiveWhatWaits(on parent: Timeline) {
        do throws(AsofError) {
            guard let last = try session.on(parent).lastCapture() else { return }
            do throws(AsofError) {
                _ = try LeftInSpool.archive(Spool(folder: last.spool), of: parent, backing: directory) { Console.note("timeline \(parent.name): \($0)") }
            } catch {
                // It is being captured elsewhere, and that capture archives it.
                guard error.code != .locked else { return }
                throw error.during("the spool \(last.spool) of timeline \(parent.name)")
            }
        } catch { Console.note("what may wait there stays there, and is not in the repository: \(error.description)") }
    }

    private func own(_ origin: DirectoryOrigin, in timeline: Timeline, _ point: CutPoint) throws(AsofError) {
        try DirectoryOrigin(repository: session.repository, timeline: timeline.name, point, isCaptured: true).write(to: directory)
    }

    private func time(_ origin: DirectoryOrigin) throws(AsofError) -> Instant {
        try session.timeline.head().parent?.time ?? .distantPast
    }

    /// The session as far as it is known without making anything.
    var planned: Session { session }

    /// For a dry run: what would be made; nil: nothing.
    var plan: String? {
        guard case .branches(let parent, _, let origin, let name) = way else { return nil }
        return "in \(name.map { "the new timeline \($0)" } ?? "a new timeline"), which leaves \(parent.name) at lsn:\(origin.lsn)"
    }
}
