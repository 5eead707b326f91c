internal import AsofCore
internal import AsofRepository
internal import AsofSystem
internal import Glibc

/// Makes and fills the files of a tree that is being restored. Folders are found by descriptor, so that no path is too long and no
/// symbolic link is followed. For one thread.
final class RestoredTree {
    let folders: FolderTable
    private let view: View
    private let progress: RestoreProgress
    private let root: SharedDescriptor
    private var handles: [UInt32: SharedDescriptor] = [:]
    private let isRoot = geteuid() == 0
    /// Folders kept open.
    private static let handlesKept = 128

    init(_ root: SharedDescriptor, _ folders: FolderTable, _ view: View, _ progress: RestoreProgress) {
        self.root = root
        self.folders = folders
        self.view = view
        self.progress = progress
    }

    /// For searching only.
    private func handle(_ folder: UInt32) throws(Errno) -> SharedDescriptor {
        guard let place = folders[folder].place else { return root }
        if let known = handles[folder] { return known }
        let parent = try handle(place.folder)
        let made = SharedDescriptor(try SystemCall.open(at: parent.unmanaged, place.name, SystemCall.O_PATH | O_DIRECTORY | O_NOFOLLOW))
        if handles.count >= Self.handlesKept { handles.removeAll(keepingCapacity: true) }
        handles[folder] = made
        return made
    }

    /// Runs `body` with the descriptor of the place's folder; what fails is said of the place.
    private func at<Value: ~Copyable>(_ place: RestoredPlace, _ body: (Int32) throws(Errno) -> Value) throws(AsofError) -> Value {
        do throws(Errno) {
            let folder = try handle(place.folder)
            return try folder.withRaw(body)
        } catch {
            throw AsofError(error, "cannot restore \(folders.path(of: place))")
        }
    }

    // MARK: Names

    /// Makes a folder, closed to others until the end.
    func makeFolder(_ number: UInt32) throws(AsofError) {
        guard let place = folders[number].place else { return }
        try at(place) { (folder) throws(Errno) in
            do throws(Errno) { try SystemCall.makeDirectory(at: folder, place.name, mode: 0o700) } catch {
                guard error.rawValue == EEXIST else { throw error }
            }
        }
    }

    /// Opens a folder to its owner again, whom its mode may shut out: an interrupted run may have given it that already. What it lies in is open.
    func reopenFolder(_ number: UInt32) throws(AsofError) {
        guard let place = folders[number].place else { return }
        try at(place) { (folder) throws(Errno) in try SystemCall.changeMode(at: folder, place.name, 0o700) }
    }

    /// Takes away what an interrupted restore may have left under the name.
    func clear(_ place: RestoredPlace) throws(AsofError) {
        try at(place) { (folder) throws(Errno) in
            do throws(Errno) { try SystemCall.unlink(at: folder, place.name) } catch {
                guard error.rawValue == ENOENT else { throw error }
            }
        }
    }

    func link(_ link: RestoreBatch.Link) throws(AsofError) {
        do throws(Errno) {
            let (from, to) = (try handle(link.first.folder), try handle(link.place.folder))
            try SystemCall.link(at: from.unmanaged, link.first.name, to: to.unmanaged, link.place.name)
            withExtendedLifetime((from, to)) {}
        } catch {
            throw AsofError(error, "cannot make \(folders.path(of: link.place)) a link of \(folders.path(of: link.first))")
        }
    }

    // MARK: Contents

    func open(_ file: RestoreBatch.File) throws(AsofError) -> OwnedDescriptor {
        try at(file.place) { (folder) throws(Errno) in
            try SystemCall.open(at: folder, file.place.name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, mode: 0o600)
        }
    }

    func write(_ file: RestoreBatch.File, _ descriptor: borrowing OwnedDescriptor, at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(AsofError) {
        do throws(Errno) { try SystemCall.writeFully(descriptor.raw, at: offset, bytes) } catch { throw failure(error, file) }
    }

    /// Size, owner, extended attributes, mode and times of a file that has its bytes.
    func finish(_ file: RestoreBatch.File, _ descriptor: borrowing OwnedDescriptor) throws(AsofError) {
        do throws(Errno) {
            // A hole at the end has no bytes to write.
            if file.written < file.attributes.size { try SystemCall.truncate(descriptor.raw, to: file.attributes.size) }
        } catch {
            throw failure(error, file)
        }
        try dress(descriptor.raw, file.inode, file.attributes) { self.folders.path(of: file.place) }
    }

    /// Makes what has no bytes to read.
    func makeBare(_ file: RestoreBatch.File) throws(AsofError) {
        let (name, attributes) = (file.place.name, file.attributes)
        switch attributes.kind {
        case .regular, .directory, nil:
            let descriptor = try open(file)
            if file.ends { try finish(file, descriptor) }
            return
        case .symbolicLink:
            guard let target = try view.symbolicLink(file.inode) else {
                throw AsofError(.damaged, "the index says nothing of where the symbolic link \(folders.path(of: file.place)) leads")
            }
            try at(file.place) { (folder) throws(Errno) in try SystemCall.symbolicLink(target: target, at: folder, name) }
        case .fifo, .socket, .characterDevice, .blockDevice:
            try at(file.place) { (folder) throws(Errno) in
                try SystemCall.makeNode(at: folder, name, mode: attributes.mode & 0o170000 | 0o600, device: attributes.device)
            }
        }
        let made = try at(file.place) { (folder) throws(Errno) in try SystemCall.open(at: folder, name, SystemCall.O_PATH | O_NOFOLLOW) }
        try dress(made.raw, file.inode, attributes) { self.folders.path(of: file.place) }
    }

    // MARK: Attributes

    /// A folder's attributes, once everything is in it.
    func finishFolder(_ number: UInt32) throws(AsofError) {
        let inode = folders[number].inode
        guard let attributes = try view.attributes(of: inode) else { return }
        let folder: OwnedDescriptor
        do throws(Errno) {
            let handle = try handle(number)
            // A handle for searching alone takes no attributes.
            folder = try SystemCall.open(at: handle.unmanaged, ".", O_RDONLY | O_DIRECTORY)
            withExtendedLifetime(handle) {}
        } catch {
            throw AsofError(error, "cannot restore the folder \(folders.path(ofFolder: number))")
        }
        try dress(folder.raw, inode, attributes) { self.folders.path(ofFolder: number) }
    }

    /// The root's attributes, and where it comes from. Its mode last: that may keep its owner from writing. False: the file system keeps no
    /// extended attributes.
    func finishRoot(_ origin: DirectoryOrigin?) throws(AsofError) -> Bool {
        let hasLeftOrigin = try origin?.leave(on: root.unmanaged) ?? true
        try finishFolder(0)
        return hasLeftOrigin
    }

    /// Of a directory that was another's root before: takes away what that had besides.
    func clearForeignRoot() throws(AsofError) {
        let wanted = try view.extendedAttributes(of: .root)
        // Those of `security` are this host's own.
        let prefixes = isRoot ? ["user.", "trusted.", "system.posix_acl_"] : ["user."]
        do throws(Errno) {
            let descriptor = try SystemCall.open(at: root.unmanaged, ".", O_RDONLY | O_DIRECTORY)
            for name in (try? SystemCall.extendedAttributeNames(descriptor.raw)) ?? [] where wanted[Name(unchecked: name)] == nil {
                guard prefixes.contains(where: { name.starts(with: $0.utf8) }) else { continue }
                try SystemCall.removeExtendedAttribute(descriptor.raw, name)
            }
        } catch {
            throw AsofError(error, "cannot set the attributes of the directory")
        }
    }

    /// The times last: everything before changes them.
    private func dress(_ descriptor: Int32, _ inode: InodeNumber, _ attributes: Attributes, _ path: () -> String) throws(AsofError) {
        let extended = try view.extendedAttributes(of: inode)
        let isOwned: Bool
        // Another owner takes setuid bits and capabilities away, so it comes first.
        do throws(Errno) { isOwned = try setOwner(descriptor, attributes) } catch { throw AsofError(error, "cannot set the attributes of \(path())") }
        var isComplete = isOwned
        for (name, value) in extended {
            do throws(Errno) { try SystemCall.setExtendedAttribute(descriptor, name, value) } catch {
                // Those of `trusted` and `security` are for root alone.
                if !isRoot, error.rawValue == EPERM {
                    isComplete = false
                    continue
                }
                throw refusal(of: name, value.count, error, path())
            }
        }
        if !isComplete { progress.lackedPermission() }
        do throws(Errno) {
            // To be run as whoever restores it is not what a setuid bit meant.
            let mode = isOwned ? attributes.mode : attributes.mode & ~0o6000
            if attributes.kind != .symbolicLink { try SystemCall.changeMode(descriptor, mode) }
            try SystemCall.setTimes(descriptor, accessed: .instant(attributes.modified), modified: .instant(attributes.modified))
        } catch {
            throw AsofError(error, "cannot set the attributes of \(path())")
        }
    }

    private func refusal(of name: Name, _ length: Int, _ error: Errno, _ path: String) -> AsofError {
        switch error.rawValue {
        // Most often not the disk is full, but the room that a file has for them.
        case ENOSPC, E2BIG, ERANGE, EOPNOTSUPP:
            AsofError(
                .failure, "the file system of the target does not hold the extended attribute \(name) of \(length) bytes on \(path): \(error.text)",
                hint: "restore to another file system; on one that is full: free space, and give the same command again")
        default: AsofError(error, "cannot set the extended attribute \(name) of \(path)")
        }
    }

    /// False: this user may not.
    private func setOwner(_ descriptor: Int32, _ attributes: Attributes) throws(Errno) -> Bool {
        if isRoot {
            try SystemCall.changeOwner(descriptor, owner: attributes.owner, group: attributes.group)
            return true
        }
        let now = try SystemCall.status(descriptor).attributes
        guard (now.owner, now.group) != (attributes.owner, attributes.group) else { return true }
        if now.group != attributes.group { try? SystemCall.changeOwner(descriptor, owner: nil, group: attributes.group) }
        if now.owner == attributes.owner, try SystemCall.status(descriptor).attributes.group == attributes.group { return true }
        return false
    }

    private func failure(_ error: Errno, _ file: RestoreBatch.File) -> AsofError { AsofError(error, "cannot write \(folders.path(of: file.place))") }
}
