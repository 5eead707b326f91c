package import AsofCore
internal import CLinux
internal import Glibc

extension SystemCall {
    /// `fchmod(2)`; for `O_PATH` descriptors by way of /proc, which a symbolic link answers with EOPNOTSUPP.
    package static func changeMode(_ descriptor: Int32, _ mode: UInt32) throws(Errno) {
        do throws(Errno) {
            _ = try checked { fchmod(descriptor, mode_t(mode & 0o7777)) }
        } catch {
            guard error.rawValue == EBADF else { throw error }
            _ = try checked(procPath(descriptor)) { chmod($0, mode_t(mode & 0o7777)) }
        }
    }

    /// `fchmodat(2)`; symbolic links are followed.
    package static func changeMode(at directory: Int32, _ name: some PathBytes, _ mode: UInt32) throws(Errno) {
        _ = try checked(name) { fchmodat(directory, $0, mode_t(mode & 0o7777), 0) }
    }

    /// `fchownat(2)` with `AT_EMPTY_PATH`; nil leaves as is. Works for `O_PATH` descriptors, also of symbolic links.
    package static func changeOwner(_ descriptor: Int32, owner: UInt32?, group: UInt32?) throws(Errno) {
        _ = try checked { fchownat(descriptor, "", owner ?? .max, group ?? .max, AT_EMPTY_PATH) }
    }

    /// `fchownat(2)`; symbolic links are not followed.
    package static func changeOwner(at directory: Int32, _ name: some PathBytes, owner: UInt32?, group: UInt32?) throws(Errno) {
        _ = try checked(name) { fchownat(directory, $0, owner ?? .max, group ?? .max, AT_SYMLINK_NOFOLLOW) }
    }

    /// One of the two times that `setTimes` sets.
    package enum NewTime: Hashable, Sendable {
        case unchanged
        /// The kernel's clock; allowed to whoever may write the file.
        case now
        case instant(Instant)

        var timespec: Glibc.timespec {
            switch self {
            // UTIME_OMIT and UTIME_NOW, which are macros.
            case .unchanged: Glibc.timespec(tv_sec: 0, tv_nsec: (1 << 30) - 2)
            case .now: Glibc.timespec(tv_sec: 0, tv_nsec: (1 << 30) - 1)
            case .instant(let instant): instant.timespec
            }
        }
    }

    /// `utimensat(2)`. Works for `O_PATH` descriptors, also of symbolic links.
    package static func setTimes(_ descriptor: Int32, accessed: NewTime, modified: NewTime) throws(Errno) {
        let times = (accessed.timespec, modified.timespec)
        // The C signature speaks of an array of two; a tuple of two has the same layout.
        _ = try withUnsafePointer(to: times) { (pair) throws(Errno) in
            try pair.withMemoryRebound(to: Glibc.timespec.self, capacity: 2) { (times) throws(Errno) in
                try checked(procPath(descriptor)) { utimensat(AT_FDCWD, $0, times, 0) }
            }
        }
    }

    /// The other groups of the calling thread alone. EPERM where not allowed.
    package static func setThreadGroups(_ groups: [UInt32]) throws(Errno) {
        _ = try checked { groups.withUnsafeBufferPointer { asof_set_thread_groups($0.baseAddress, $0.count) } }
    }

    /// File-system user and group of the calling thread alone: what the files it makes belong to. EPERM where not allowed.
    package static func setThreadOwner(user: UInt32, group: UInt32) throws(Errno) {
        // The group first: without the user's privileges it could not be changed any more.
        _ = try checked { asof_set_thread_fsgid(group) }
        _ = try checked { asof_set_thread_fsuid(user) }
    }
}
