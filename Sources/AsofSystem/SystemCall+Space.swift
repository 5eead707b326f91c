package import AsofCore
internal import CLinux
internal import Glibc

extension SystemCall {
    /// Where the next bytes lie that are not a hole, from `offset` on (`SEEK_DATA`); nil: only a hole follows. `offset` where that cannot be told.
    package static func nextData(_ descriptor: Int32, from offset: UInt64) -> UInt64? {
        let SEEK_DATA: Int32 = 3
        guard let start = Int(exactly: offset) else { return offset }
        let found = lseek(descriptor, start, SEEK_DATA)
        if found >= 0 { return UInt64(found) }
        return errno == ENXIO ? nil : offset
    }

    /// `ftruncate(2)`.
    package static func truncate(_ descriptor: Int32, to size: UInt64) throws(Errno) {
        let size = try signed(size)
        _ = try checked { ftruncate(descriptor, size) }
    }

    /// `fallocate(2)`; `mode` is 0 or `FALLOC_FL_…`.
    package static func allocate(_ descriptor: Int32, mode: Int32 = 0, offset: UInt64, length: UInt64) throws(Errno) {
        let offset = try signed(offset)
        let length = try signed(length)
        _ = try checked { asof_fallocate(descriptor, mode, Int64(offset), Int64(length)) }
    }

    /// `fsync(2)`: content and attributes are on the disk.
    package static func sync(_ descriptor: Int32) throws(Errno) {
        _ = try checked { fsync(descriptor) }
    }

    /// `fdatasync(2)`: content and what is needed to read it are on the disk.
    package static func syncData(_ descriptor: Int32) throws(Errno) {
        _ = try checked { fdatasync(descriptor) }
    }

    /// `sync_file_range(2)` with `SYNC_FILE_RANGE_WRITE`: what is dirty sets out for the disk. A hint that promises nothing, so it cannot fail.
    package static func startWriting(_ descriptor: Int32) { asof_start_writing(descriptor) }

    /// `syncfs(2)`: everything of the file system that holds the open file.
    package static func syncFileSystem(_ descriptor: Int32) throws(Errno) {
        _ = try checked { asof_syncfs(descriptor) }
    }
}
