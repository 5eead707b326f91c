/// Chooses how a tree is watched.
package enum TreeWatching {
    package struct Choice: Sendable {
        package let watch: any TreeWatch
        package let kind: WatchKind
        /// For the log and for status: why this way and no better one.
        package let reason: String
    }

    /// fanotify where it is permitted and the file system has handles, else inotify. No directory is registered yet.
    ///
    /// `kind`: this one and no other. `directory` is open on the tree's root; `planned` is how many directories it has, as far as is known.
    package static func best(
        for directory: Int32, by kind: WatchKind? = nil, planned: Int = 0, unregistered: FanotifyWatch.Unregistered = .init()
    ) throws(WatchFailure) -> Choice {
        if kind == .inotify {
            return Choice(watch: try InotifyWatch(planned: planned), kind: .inotify, reason: "inotify on every directory: asked for")
        }
        do throws(WatchFailure) {
            let watch = try FanotifyWatch(fileSystemOf: directory, unregistered: unregistered)
            return Choice(watch: watch, kind: .fanotify, reason: "fanotify: the whole file system may be watched")
        } catch {
            if kind == .fanotify { throw error }
            let watch = try InotifyWatch(planned: planned)
            return Choice(watch: watch, kind: .inotify, reason: "inotify on every directory: \(error)")
        }
    }
}
