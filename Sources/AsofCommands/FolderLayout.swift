internal import AsofCore
internal import AsofStore
internal import AsofView

/// Folders that must not lie in each other: what is captured must not hold what the capture writes.
enum FolderLayout {
    static func isInside(_ path: String, _ folder: String) -> Bool { folder == "/" || path == folder || path.hasPrefix(folder + "/") }

    /// Throws while a restore in place of a directory that is to be captured is not finished: what stands there may be no state at all.
    static func requireNoRestore(in directory: String) throws(AsofError) {
        guard let path = RestoreSite(directory, isInPlace: true).begun().first else { return }
        throw AsofError(
            .failure, "a restore in place of \(directory) is not finished: \(path)",
            hint: "give the `asof restore --in-place` command again that began it; while it has not come to the exchange, removing that folder gives it up")
    }

    /// Throws where spool, state or repository lie in one of `folders`.
    static func check(_ folders: [String], _ invocationRepository: String, spool: String, state: String) throws(AsofError) {
        var places = [("spool", spool), ("state directory", state)]
        if let location = try? StoreLocation(parsing: invocationRepository), case .directory(let path) = location { places.append(("repository", Session.absolute(path))) }
        for (what, place) in places {
            for folder in folders where isInside(place, folder) {
                throw AsofError(
                    .usage, "the \(what) \(place) lies in \(folder), which is captured", hint: "put it elsewhere: a capture must not capture itself")
            }
        }
    }
}
