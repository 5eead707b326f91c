package import AsofCore
internal import Glibc

/// Why a directory, or a whole tree, cannot be watched. Nothing is ever watched in part: whoever gets one of these has a tree
/// that is not covered.
package enum WatchFailure: Error, Hashable, Sendable {
    /// fanotify on a whole file system takes CAP_SYS_ADMIN in the first user namespace (EPERM).
    case notPermitted
    /// The kernel has no such call, or not the kinds of report we need (Linux before 5.9: EINVAL, ENOSYS).
    case oldKernel(Errno)
    /// The file system has no stable handles, or none that hold for all of it (EOPNOTSUPP, ENODEV, EXDEV, EOVERFLOW).
    case noHandles(Errno)
    /// The directory is on another file system than the one that is watched.
    case otherFileSystem
    /// `fs.inotify.max_user_watches` is used up; `needed` is the figure with which everything fits, as far as we know.
    case outOfWatches(limit: Int?, needed: Int)
    /// `fs.inotify.max_user_instances` is used up.
    case outOfInstances(limit: Int?)
    /// The directory is no directory, or may not be read, or the system is short of something.
    case system(Errno)
}

extension WatchFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .notPermitted: "watching a whole file system is not permitted here (fanotify needs CAP_SYS_ADMIN)"
        case .oldKernel(let error): "this kernel cannot report changes with names and identities (\(error.text))"
        case .noHandles(let error): "this file system has no identities that events could name (\(error.text))"
        case .otherFileSystem: "the directory is on another file system than the tree's root"
        case .outOfWatches(let limit, let needed):
            "fs.inotify.max_user_watches is \(limit.map(String.init) ?? "too low"), watching every directory needs \(needed)"
        case .outOfInstances(let limit):
            "fs.inotify.max_user_instances\(limit.map { " (\($0))" } ?? "") is used up by other programs of this user"
        case .system(let error): "a directory cannot be watched: \(error.text)"
        }
    }
}

extension WatchFailure {
    /// The same for people, with what to do.
    package var asofError: AsofError {
        switch self {
        case .notPermitted:
            AsofError(.failure, description, hint: "give asof CAP_SYS_ADMIN, or let it use inotify")
        case .oldKernel, .noHandles:
            AsofError(.failure, description, hint: "let asof use inotify")
        case .otherFileSystem:
            AsofError(.failure, description, hint: "let asof use inotify, or keep the tree on one file system")
        case .outOfWatches(_, let needed):
            AsofError(.failure, description, hint: "sysctl -w fs.inotify.max_user_watches=\(needed), and in /etc/sysctl.d for the next boot")
        case .outOfInstances(let limit):
            AsofError(.failure, description, hint: "sysctl -w fs.inotify.max_user_instances=\((limit ?? 128) * 2)")
        case .system(let error):
            AsofError(error, "cannot watch a directory")
        }
    }

    /// What the limit `name` of /proc/sys/fs/inotify is; nil where the system does not say.
    ///
    /// In one read: files of /proc/sys answer a second one, from the middle, with nothing.
    package static func inotifyLimit(_ name: String) -> Int? {
        guard let file = try? SystemCall.open("/proc/sys/fs/inotify/" + name, O_RDONLY),
            let text = try? SystemCall.readFully(file.raw, at: 0, length: 64)
        else { return nil }
        return Int(String(decoding: text.prefix { $0 != 0x0A }, as: UTF8.self))
    }
}
