package import AsofCore
package import AsofRepository
internal import AsofSystem
internal import Glibc

/// The end of a restore in place: the directory's entries go into `old` in the hidden folder, those of the whole tree come, the directory
/// gets its attributes. A folder that is the root of a volume cannot be renamed, so this is many renames; `state` says how far it is, and
/// while it is under way only this user may enter the directory. Again after a crash: goes on where that was.
package struct RestoreSwap {
    private let folder: RestoreFolder
    private let view: View
    private let origin: DirectoryOrigin
    private let progress: RestoreProgress
    private let requireUnused: () throws(AsofError) -> Void
    private let root: SharedDescriptor

    private static let old = "old"
    /// Made by the file system for its own checks: it stays.
    package static let lostAndFound = Name(unchecked: Array("lost+found".utf8))

    /// `requireUnused` throws while somebody uses the directory.
    package init(_ folder: RestoreFolder, _ view: View, origin: DirectoryOrigin, _ progress: RestoreProgress, requireUnused: @escaping () throws(AsofError) -> Void) throws(AsofError) {
        self.folder = folder
        self.view = view
        self.origin = origin
        self.progress = progress
        self.requireUnused = requireUnused
        do throws(Errno) { root = SharedDescriptor(try SystemCall.open(folder.target, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)) } catch {
            throw AsofError(error, "cannot open \(folder.target)")
        }
        // A capture's lock says what processes that may not be looked into do not. Where a file system knows no locks there is none.
        guard (try? root.withRaw({ raw throws(Errno) in try SystemCall.tryLock(raw) })) != false else {
            throw AsofError(.locked, "\(folder.target) is being captured by asof, or locked by another program", hint: "stop that one first (`asof status`), then give the same command again")
        }
    }

    /// Returns the folder that holds the old entries, in `old`.
    package func run() throws(AsofError) -> String {
        if folder.known.swap == nil { try begin() }
        try close()
        if folder.known.swap?.stage == .leaving { try leave() }
        if folder.known.swap?.stage == .entering { try enter() }
        let kept = try keep()
        let tree = RestoredTree(root, FolderTable(), view, progress)
        try tree.clearForeignRoot()
        _ = try tree.finishRoot(origin)
        try sync()
        CrashPoint.reach("restore.swap.dressed")
        try folder.forget()
        return kept
    }

    private func begin() throws(AsofError) {
        try requireUnused()
        let mode = try doing("cannot make \(folder.path)/\(Self.old)") { () throws(Errno) in
            do throws(Errno) { try SystemCall.makeDirectory(at: folder.folder.unmanaged, Self.old, mode: 0o700) } catch { if error.rawValue != EEXIST { throw error } }
            // What is moved away keeps whose it was.
            let (attributes, made) = (try SystemCall.status(root.unmanaged).attributes, try open(Self.old))
            try? SystemCall.changeOwner(made.unmanaged, owner: attributes.owner, group: attributes.group)
            return attributes.mode
        }
        let kept = freeName()
        try folder.update { $0.swap = RestoreState.Swap(kept: kept, oldMode: mode) }
        CrashPoint.reach("restore.swap.begun")
    }

    /// A name for the old entries that nothing in the directory has.
    private func freeName() -> String {
        let moment = HiddenName.replaced + String(SystemClock.now().description.prefix(19).map { $0 == ":" ? "-" : $0 })
        var name = moment
        var number = 2
        while (try? SystemCall.status(at: root.unmanaged, name)) != nil {
            name = "\(moment)-\(number)"
            number += 1
        }
        return name
    }

    /// Until the end only we go in: a server that is started now must not take this for its data.
    private func close() throws(AsofError) {
        try doing("cannot close \(folder.target) to others") { () throws(Errno) in
            if geteuid() == 0 { try SystemCall.changeOwner(root.unmanaged, owner: 0, group: 0) }
            try SystemCall.changeMode(root.unmanaged, 0o700)
        }
    }

    private func leave() throws(AsofError) {
        let mode = folder.known.swap?.oldMode
        let old = try doing("cannot open \(folder.path)/\(Self.old)") { () throws(Errno) in
            if mode != nil { try SystemCall.changeMode(at: folder.folder.unmanaged, Self.old, 0o700) }
            return try open(Self.old)
        }
        try closeOpened(in: old)
        for name in try names(in: root) where !isOurs(name) && name != Self.lostAndFound {
            try move(name, from: root, to: old, "it stood there before the exchange began, and stands there again")
            CrashPoint.reach("restore.swap.left")
        }
        if let mode { try doing("cannot set the mode of \(folder.path)/\(Self.old)") { () throws(Errno) in try SystemCall.changeMode(old.unmanaged, mode) } }
        try sync()
        try requireUnused()
        try begin(.entering)
        CrashPoint.reach("restore.swap.emptied")
    }

    private func begin(_ stage: RestoreState.Swap.Stage) throws(AsofError) {
        try folder.update {
            $0.swap?.stage = stage
            $0.swap?.opened = nil
        }
    }

    private func enter() throws(AsofError) {
        try closeOpened(in: root)
        let wanted = Set(try view.entries(of: .root).map(\.name))
        let keepsLost = try doing("cannot read \(folder.target)") { () throws(Errno) in try SystemCall.statusIfPresent(at: root.unmanaged, Self.lostAndFound) != nil }
        for name in try names(in: root) where !isOurs(name) && name != Self.lostAndFound && !wanted.contains(name) { throw stranger(name, "nothing of that name is restored") }
        if let tree = try doing("cannot open \(folder.tree)", { () throws(Errno) in try openTree() }) {
            for name in try names(in: tree) where !(keepsLost && name == Self.lostAndFound) {
                try move(name, from: tree, to: root, "it was put there after the old entries had gone")
                CrashPoint.reach("restore.swap.entered")
            }
        }
        let there = Set(try names(in: root))
        if let name = wanted.subtracting(there).min() {
            throw AsofError(
                .failure, "\(folder.target)/\(name) was restored, and is gone again",
                hint: "put it back there from where it was moved")
        }
        try sync()
        try begin(.dressing)
        CrashPoint.reach("restore.swap.filled")
    }

    /// The hidden folder becomes what the old entries are kept in. From then on nothing in the directory's root changes any more.
    private func keep() throws(AsofError) -> String {
        let name = folder.known.swap?.kept ?? freeName()
        let path = "\(folder.target)/\(name)"
        try doing("cannot rename \(folder.path) to \(path)") { () throws(Errno) in
            try TreeRemoval(at: folder.folder.unmanaged).remove("tree")
            if folder.path != path { try SystemCall.rename(at: AT_FDCWD, folder.path, to: AT_FDCWD, path) }
        }
        try sync()
        CrashPoint.reach("restore.swap.kept")
        return path
    }

    // MARK: Entries

    /// Hidden folders of restores: this one, and what earlier ones replaced.
    private func isOurs(_ name: Name) -> Bool { HiddenName.isLeftOut(name) }

    private func names(in directory: SharedDescriptor) throws(AsofError) -> [Name] {
        try doing("cannot list \(folder.target)") { () throws(Errno) in
            let reader = DirectoryReader(SharedDescriptor(try SystemCall.open(at: directory.unmanaged, ".", O_RDONLY | O_DIRECTORY)))
            var names: [Name] = []
            while let entry = try reader.next() { names.append(entry.name) }
            return names.sorted()
        }
    }

    private func move(_ name: Name, from: SharedDescriptor, to: SharedDescriptor, _ why: String) throws(AsofError) {
        let isThere = try doing("cannot look at \(name)") { () throws(Errno) in try SystemCall.statusIfPresent(at: to.unmanaged, name) != nil }
        // Not by a flag of the rename: some file systems do not know it, and nobody else works here.
        guard !isThere else { throw stranger(name, why) }
        try makeMovable(name, in: from)
        try doing("cannot move \(name) in \(folder.target)") { () throws(Errno) in try SystemCall.rename(at: from.unmanaged, name, to: to.unmanaged, name) }
        CrashPoint.reach("restore.swap.moved")
        if folder.known.swap?.opened?.name == name.bytes { try closeOpened(in: to) }
    }

    /// To another parent a folder goes only where its owner may write to it. `state` keeps a mode that forbids that until the move is made.
    private func makeMovable(_ name: Name, in directory: SharedDescriptor) throws(AsofError) {
        guard geteuid() != 0 else { return }
        let attributes = try doing("cannot look at \(name)") { () throws(Errno) in try SystemCall.status(at: directory.unmanaged, name).attributes }
        guard attributes.isDirectory, attributes.owner == geteuid(), attributes.mode & 0o200 == 0 else { return }
        try folder.update { $0.swap?.opened = RestoreState.Opened(name: name.bytes, mode: attributes.mode) }
        try doing("cannot open \(name) in \(folder.target)") { () throws(Errno) in try SystemCall.changeMode(at: directory.unmanaged, name, attributes.mode | 0o200) }
    }

    /// Gives the entry that was opened last its mode again, where it has arrived.
    private func closeOpened(in directory: SharedDescriptor) throws(AsofError) {
        guard let opened = folder.known.swap?.opened else { return }
        let name = Name(unchecked: opened.name)
        try doing("cannot set the mode of \(name) in \(folder.target)") { () throws(Errno) in
            guard try SystemCall.statusIfPresent(at: directory.unmanaged, name)?.attributes.isDirectory == true else { return }
            try SystemCall.changeMode(at: directory.unmanaged, name, opened.mode)
        }
    }

    private func stranger(_ name: Name, _ why: String) -> AsofError {
        AsofError(
            .failure, "\(folder.target)/\(name) is in the way of a restore that is not finished: \(why)",
            hint: "stop what writes there, and move that out of \(folder.target)")
    }

    private func open(_ name: String) throws(Errno) -> SharedDescriptor {
        SharedDescriptor(try SystemCall.open(at: folder.folder.unmanaged, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
    }

    /// Nil: it is gone. Its mode might keep its entries from leaving it; the directory gets that from the view.
    private func openTree() throws(Errno) -> SharedDescriptor? {
        guard try SystemCall.statusIfPresent(at: folder.folder.unmanaged, "tree") != nil else { return nil }
        try SystemCall.changeMode(at: folder.folder.unmanaged, "tree", 0o700)
        return try open("tree")
    }

    private func sync() throws(AsofError) {
        try doing("cannot make \(folder.target) durable") { () throws(Errno) in try SystemCall.syncFileSystem(root.unmanaged) }
    }

    private func doing<Value>(_ what: @autoclosure () -> String, _ body: () throws(Errno) -> Value) throws(AsofError) -> Value {
        do throws(Errno) { return try body() } catch { throw AsofError(error, what()) }
    }
}
