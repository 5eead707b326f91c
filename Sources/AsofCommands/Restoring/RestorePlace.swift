internal import AsofCapture
internal import AsofCommandLine
internal import AsofCore
internal import AsofFuse
internal import AsofStore
internal import AsofSystem
internal import AsofView
internal import Glibc

/// Where a restore may write.
enum RestorePlace {
    /// The target as one spelling: everything above it must be there.
    static func resolve(_ given: String) throws(AsofError) -> String {
        var path = Session.absolute(given)
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        if let there = try? SystemCall.realPath(path) { return there }
        guard (try? SystemCall.status(path, following: false)) == nil else {
            throw AsofError(.failure, "\(path) is a symbolic link that leads nowhere", hint: "remove it, or name the folder that it should lead to")
        }
        let parts = path.split(separator: "/")
        let parent = "/" + parts.dropLast().joined(separator: "/")
        guard let name = parts.last, name != ".", name != ".." else { throw AsofError(.usage, "\(given) cannot be made", hint: "name a folder that is to be made") }
        do throws(Errno) {
            let above = try SystemCall.realPath(parent)
            return above == "/" ? "/\(name)" : "\(above)/\(name)"
        } catch {
            throw AsofError(error, parent, hint: "the folder above \(path) must be there: mkdir -p \(parent)")
        }
    }

    /// Throws where a restore must not be made, whatever is in it.
    static func check(_ site: RestoreSite, _ session: Session, _ invocation: Invocation) throws(AsofError) {
        let target = site.target
        let name = target.split(separator: "/").last ?? ""
        guard site.isInPlace || name.utf8.count + RestoreSite.nameAddition <= 255 else {
            throw AsofError(.usage, "the name of \(target) is too long for a restore: beside it a folder takes shape that is called the same, and more", hint: "restore to a shorter name")
        }
        var places = [("the state directory", session.stateFolder), ("the spool", session.defaultSpool.folder)]
        if let last = try session.lastCapture() { places.append(("the spool", last.spool)) }
        if case .directory(let path) = try Session.location(invocation) { places.append(("the repository", path)) }
        for (what, place) in places {
            let real = FolderLayout.resolved(place)
            if FolderLayout.isInside(target, real) || FolderLayout.isAbove(real, target) { throw AsofError(.usage, "\(target) lies in \(what) \(place)", hint: "restore into a folder elsewhere") }
            if site.isInPlace, FolderLayout.isInside(real, target) {
                throw AsofError(.usage, "\(what) \(place) lies in \(target), and would be moved away with what is there", hint: "restore into a new folder by --to")
            }
        }
        // What is only looked at may be in use.
        if site.isInPlace, invocation.flag("validate") { return try CapturedPlace.refuseMount(target, "restore into a folder elsewhere") }
        try CapturedPlace.refuse(target, site.isInPlace ? "stop the recorder first, or restore into a folder elsewhere" : "restore into a folder elsewhere")
    }

    /// Throws unless the target is an empty folder, or nothing, that a rename can replace.
    static func requireFree(_ target: String) throws(AsofError) {
        guard let status = try? SystemCall.status(target, following: false) else { return }
        guard status.attributes.isDirectory else { throw AsofError(.failure, "\(target) is not a folder", hint: "name a new one") }
        let names = names(in: target)
        if target == "/" || MountTable.isMountPoint(target) || names == ["lost+found"] {
            throw AsofError(
                .failure, "\(target) is the root of a volume, which cannot be replaced by a rename",
                hint: target == "/" ? "restore into a new folder" : "restore into it by --in-place \(ShellWord.quoted(target)) instead of --to, or into a folder in it, such as \(target)/restored")
        }
        guard let name = names.first else { return }
        throw AsofError(.failure, "\(target) is not empty: it holds \(Printable.quoted(name))", hint: "restore into a new folder, and exchange the two when you have looked at it")
    }

    /// The first few.
    private static func names(in path: String) -> [String] {
        guard let reader = try? DirectoryReader(path) else { return [] }
        var names: [String] = []
        while names.count < 2, let entry = try? reader.next() { names.append(entry.name.description) }
        return names
    }

    /// Throws where the file system of the target has not the room.
    static func requireSpace(for survey: RestoreSurvey, at site: RestoreSite) throws(AsofError) {
        let (status, target) = (try requireSpace(survey.space, at: site), site.target)
        // File systems that make inodes as they need them say that they have none.
        if status.files > 0, survey.inodes > status.freeFiles {
            throw AsofError(
                .failure, "\(HumanFormat.count(survey.inodes)) inodes are needed and \(HumanFormat.count(status.freeFiles)) are free at \(target): \(HumanFormat.count(survey.inodes - status.freeFiles)) too few",
                hint: "restore to a file system that was made with more inodes")
        }
    }

    /// Throws where so many bytes have no room. Returns what the file system says of itself.
    @discardableResult
    static func requireSpace(_ needed: UInt64, at site: RestoreSite) throws(AsofError) -> FileSystemStatus {
        let status = try space(at: site)
        let free = geteuid() == 0 ? status.freeBlocks.multipliedReportingOverflow(by: status.fragmentSize).partialValue : status.availableBytes
        // A file system without a size, such as a ramfs, says that it has no blocks at all.
        if status.blocks > 0, needed > free {
            throw AsofError(
                .failure, "\(HumanFormat.bytes(needed)) are needed and \(HumanFormat.bytes(free)) are free at \(site.target): \(HumanFormat.bytes(needed - free)) too few",
                hint: site.isInPlace
                    ? "the old state and the new one are there together until the end: free space, or restore to another file system by --to" : "free space there, or name a folder on another file system: --to")
        }
        return status
    }

    static func space(at site: RestoreSite) throws(AsofError) -> FileSystemStatus {
        let parent = site.parent
        do throws(Errno) {
            let folder = try SystemCall.open(parent, SystemCall.O_PATH | O_DIRECTORY)
            return try SystemCall.fileSystemStatus(folder.raw)
        } catch {
            throw AsofError(error, "cannot tell the free space at \(parent)")
        }
    }
}
