package import AsofCore
internal import CLinux
internal import Glibc

extension SystemCall {
    /// `fstat(2)`; also of `O_PATH` descriptors.
    package static func status(_ descriptor: Int32) throws(Errno) -> FileStatus {
        var status = stat()
        _ = try checked { fstat(descriptor, &status) }
        return FileStatus(status)
    }

    /// `fstatat(2)`. Symbolic links are not followed unless asked.
    package static func status(
        at directory: Int32, _ name: some PathBytes, following: Bool = false
    ) throws(Errno) -> FileStatus {
        var status = stat()
        _ = try checked(name) { fstatat(directory, $0, &status, following ? 0 : AT_SYMLINK_NOFOLLOW) }
        return FileStatus(status)
    }

    /// `stat(2)` or, unless following, `lstat(2)`.
    package static func status(_ path: some PathBytes, following: Bool = true) throws(Errno) -> FileStatus {
        try status(at: AT_FDCWD, path, following: following)
    }

    /// The same, nil where there is nothing of that name.
    package static func statusIfPresent(
        at directory: Int32, _ name: some PathBytes, following: Bool = false
    ) throws(Errno) -> FileStatus? {
        do throws(Errno) {
            return try status(at: directory, name, following: following)
        } catch {
            if error.rawValue == ENOENT || error.rawValue == ENOTDIR { return nil }
            throw error
        }
    }

    /// `faccessat(2)`: whether this process may write to it, for all that owner and mode say.
    package static func isWritable(at directory: Int32, _ name: some PathBytes) -> Bool {
        (try? checked(name) { faccessat(directory, $0, W_OK, AT_EACCESS) }) != nil
    }

    /// `fstatvfs(3)` and `fstatfs(2)`.
    package static func fileSystemStatus(_ descriptor: Int32) throws(Errno) -> FileSystemStatus {
        var status = statvfs()
        _ = try checked { fstatvfs(descriptor, &status) }
        var type: UInt64 = 0
        _ = try checked { asof_fstatfs_type(descriptor, &type) }
        return FileSystemStatus(
            type: type, blockSize: UInt64(status.f_bsize), fragmentSize: UInt64(status.f_frsize),
            blocks: UInt64(status.f_blocks), freeBlocks: UInt64(status.f_bfree),
            availableBlocks: UInt64(status.f_bavail), files: UInt64(status.f_files), freeFiles: UInt64(status.f_ffree),
            longestName: UInt64(status.f_namemax), flags: UInt64(status.f_flag))
    }
}
