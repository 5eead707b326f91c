internal import AsofCore
internal import AsofStore
internal import AsofSystem
internal import AsofView
internal import Glibc

/// Folders that must not lie in each other: what is captured must not hold what the capture writes.
enum FolderLayout {
    static func isInside(_ path: String, _ folder: String) -> Bool { folder == "/" || path == folder || path.hasPrefix(folder + "/") }

    /// The same by what the folders are, and not by their names: a bind mount gives a folder another one.
    static func isAbove(_ folder: String, _ path: String) -> Bool {
        guard let wanted = try? SystemCall.status(folder) else { return false }
        var above = path
        while above.count > 1 {
            if let status = try? SystemCall.status(above), (status.device, status.inode) == (wanted.device, wanted.inode) { return true }
            above = RestoreFolder.parent(of: above)
        }
        return false
    }

    /// A path without links, of a folder that need not be there yet: of the part that is there, and the rest behind it.
    static func resolved(_ path: String) -> String { resolved(path, links: 0) }

    private static func resolved(_ path: String, links: Int) -> String {
        var above = Session.absolute(path).split(separator: "/")[...]
        var rest: [Substring] = []
        var real = "/"
        while let name = above.last {
            let there = "/" + above.joined(separator: "/")
            if let found = try? SystemCall.realPath(there) {
                real = found
                break
            }
            above.removeLast()
            // It leads to what is not there yet, and what is made through it is made there.
            if links < 40, let target = try? SystemCall.readLink(at: AT_FDCWD, there) {
                let text = String(decoding: target, as: UTF8.self)
                real = resolved(text.hasPrefix("/") ? text : "/\(above.joined(separator: "/"))/\(text)", links: links + 1)
                break
            }
            rest.append(name)
        }
        for name in rest.reversed() where name != "." {
            real = name == ".." ? RestoreFolder.parent(of: real) : real == "/" ? "/\(name)" : "\(real)/\(name)"
        }
        return real
    }

    /// True when what is made at `path` is made in `folder`, by whatever names and links the two are called.
    static func isWithin(_ path: String, _ folder: String) -> Bool {
        let (path, folder) = (resolved(path), resolved(folder))
        return isInside(path, folder) || isAbove(folder, path)
    }

    /// Throws while a restore in place of a directory that is to be captured is not finished: what stands there may be no state at all.
    static func requireNoRestore(in directory: String) throws(AsofError) {
        guard let path = RestoreSite(directory, isInPlace: true).begun().first else { return }
        let state = try RestoreFolder.state(at: path)
        let command = state.map { "asof restore --timeline \($0.timeline) --at \($0.asked) --in-place \(ShellWord.quoted(directory))" } ?? "asof restore --in-place"
        guard state?.swap == nil else {
            throw AsofError(
                .failure, "a restore in place of \(directory) is not finished, and it is neither the old state nor the new one: the rest of both is in \(path)",
                hint: "finish it: \(command)")
        }
        throw AsofError(
            .failure, "a restore in place of \(directory) is not finished: \(path)",
            hint: "finish it: \(command); or give it up, since nothing was exchanged yet: rm -r \(ShellWord.quoted(path))")
    }

    /// Throws where spool, state or repository lie in one of `folders`, or one of those in them: what asof writes there would be changes to
    /// capture, and make more of them, and what is captured would lie among files that asof makes and removes.
    static func check(_ folders: [String], _ invocationRepository: String, spool: String, state: String) throws(AsofError) {
        var places = [("spool", spool), ("state directory", state)]
        if let location = try? StoreLocation(parsing: invocationRepository), case .directory(let path) = location { places.append(("repository", Session.absolute(path))) }
        for (what, place) in places {
            for folder in folders {
                if isWithin(place, folder) {
                    throw AsofError(
                        .usage, "the \(what) \(place) lies in \(folder), which is captured", hint: "put it elsewhere: a capture must not capture itself")
                }
                if isWithin(folder, place) {
                    throw AsofError(
                        .usage, "\(folder) lies in the \(what) \(place)", hint: "what is captured, and where it is mounted, must not lie among asof's own files: put one of the two elsewhere")
                }
            }
        }
    }
}
