package import AsofCore
internal import CLinux
internal import Glibc

extension SystemCall {
    /// `mkdirat(2)`.
    package static func makeDirectory(at directory: Int32 = AT_FDCWD, _ name: some PathBytes, mode: UInt32) throws(Errno) {
        _ = try checked(name) { mkdirat(directory, $0, mode_t(mode)) }
    }

    /// `unlinkat(2)`.
    package static func unlink(at directory: Int32 = AT_FDCWD, _ name: some PathBytes) throws(Errno) {
        _ = try checked(name) { unlinkat(directory, $0, 0) }
    }

    /// `unlinkat(2)` with `AT_REMOVEDIR`.
    package static func removeDirectory(at directory: Int32 = AT_FDCWD, _ name: some PathBytes) throws(Errno) {
        _ = try checked(name) { unlinkat(directory, $0, AT_REMOVEDIR) }
    }

    /// What `rename` does when the new name exists.
    package struct RenameFlags: OptionSet, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }
        /// EEXIST instead of replacing (`RENAME_NOREPLACE`).
        package static let noReplace = RenameFlags(rawValue: 1)
        /// Both names swap what they mean (`RENAME_EXCHANGE`).
        package static let exchange = RenameFlags(rawValue: 2)
    }

    /// `renameat2(2)`.
    package static func rename(
        at fromDirectory: Int32, _ from: some PathBytes, to toDirectory: Int32, _ to: some PathBytes,
        flags: RenameFlags = []
    ) throws(Errno) {
        _ = try checkedPair(from, to) { asof_renameat2(fromDirectory, $0, toDirectory, $1, flags.rawValue) }
    }

    /// `linkat(2)` of the file that `from` names; symbolic links are not followed.
    package static func link(
        at fromDirectory: Int32, _ from: some PathBytes, to toDirectory: Int32, _ to: some PathBytes
    ) throws(Errno) {
        _ = try checkedPair(from, to) { linkat(fromDirectory, $0, toDirectory, $1, 0) }
    }

    /// Gives the file behind an open descriptor (also `O_PATH` or `O_TMPFILE`) another name.
    package static func link(descriptor: Int32, to directory: Int32, _ name: some PathBytes) throws(Errno) {
        _ = try checkedPair(procPath(descriptor), name) { linkat(AT_FDCWD, $0, directory, $1, AT_SYMLINK_FOLLOW) }
    }

    /// `symlinkat(2)`.
    package static func symbolicLink(target: some PathBytes, at directory: Int32, _ name: some PathBytes) throws(Errno) {
        _ = try checkedPair(target, name) { symlinkat($0, directory, $1) }
    }

    /// `readlinkat(2)`. An empty name reads the link behind an `O_PATH` descriptor.
    package static func readLink(at directory: Int32, _ name: some PathBytes) throws(Errno) -> [UInt8] {
        var capacity = 256
        while true {
            var bytes = [UInt8](repeating: 0, count: capacity)
            let count = try bytes.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
                try checked(name) { asof_readlinkat(directory, $0, buffer.baseAddress, buffer.count) }
            }
            if count < capacity { return Array(bytes.prefix(count)) }
            if capacity > 1 << 16 { throw Errno(ENAMETOOLONG) }
            capacity *= 4
        }
    }

    /// `mknodat(2)`.
    package static func makeNode(at directory: Int32, _ name: some PathBytes, mode: UInt32, device: UInt64) throws(Errno) {
        _ = try checked(name) { mknodat(directory, $0, mode_t(mode), dev_t(device)) }
    }

    private static func checkedPair(
        _ first: some PathBytes, _ second: some PathBytes,
        _ call: (UnsafePointer<CChar>, UnsafePointer<CChar>) -> Int32
    ) throws(Errno) -> Int32 {
        var hasNUL = false
        let result = try checked(first) { firstPointer in
            var code: Int32 = 0
            let result = second.withCPath { secondPointer in
                let result = call(firstPointer, secondPointer)
                code = errno
                return result
            }
            errno = code
            hasNUL = result == nil
            return result ?? 0
        }
        if hasNUL { throw Errno(EINVAL) }
        return result
    }
}
