package import AsofCore
internal import Glibc

/// What `stat(2)` says of a file.
package struct FileStatus: Hashable, Sendable {
    package var device: UInt64
    package var inode: UInt64
    package var attributes: Attributes
    /// Allocated space, in units of 512 bytes.
    package var blocks: UInt64
    /// `st_atim`.
    package var accessed: Instant

    init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        blocks = UInt64(clamping: status.st_blocks)
        accessed = Instant(status.st_atim)
        attributes = Attributes(
            mode: status.st_mode, links: UInt32(clamping: status.st_nlink), owner: status.st_uid, group: status.st_gid,
            size: UInt64(clamping: status.st_size), device: UInt64(status.st_rdev),
            modified: Instant(status.st_mtim), changed: Instant(status.st_ctim))
    }
}

extension Instant {
    init(_ time: timespec) { self.init(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec)) }

    var timespec: Glibc.timespec { Glibc.timespec(tv_sec: Int(seconds), tv_nsec: Int(subsecond)) }
}

/// Space of a file system, as `fstatvfs(3)` says, with its magic number.
package struct FileSystemStatus: Hashable, Sendable {
    /// `f_type` of `fstatfs(2)`, such as 0xEF53 (ext), 0x01021994 (tmpfs), 0x65735546 (FUSE).
    package var type: UInt64
    package var blockSize: UInt64
    /// The unit of the three counts of blocks, in bytes.
    package var fragmentSize: UInt64
    package var blocks: UInt64
    package var freeBlocks: UInt64
    /// Free for processes without privileges.
    package var availableBlocks: UInt64
    package var files: UInt64
    package var freeFiles: UInt64
    package var longestName: UInt64
    /// `ST_RDONLY` and others.
    package var flags: UInt64

    /// Bytes free for processes without privileges; saturates.
    package var availableBytes: UInt64 {
        let (bytes, overflow) = availableBlocks.multipliedReportingOverflow(by: fragmentSize)
        return overflow ? .max : bytes
    }
}
