package import AsofCore
internal import CLinux
internal import Glibc

/// Extended attributes of the file behind a descriptor, by way of /proc/self/fd: that serves `O_PATH` descriptors too, and
/// stops at a symbolic link instead of following it.
extension SystemCall {
    /// `getxattr(2)`. ENODATA where there is none of that name.
    package static func extendedAttribute(_ descriptor: Int32, _ name: some PathBytes) throws(Errno) -> [UInt8] {
        try growing { (buffer) throws(Errno) in
            try nested(descriptor, name) { asof_getxattr($0, $1, buffer.baseAddress, buffer.count) }
        }
    }

    /// `listxattr(2)`.
    package static func extendedAttributeNames(_ descriptor: Int32) throws(Errno) -> [[UInt8]] {
        let list = try growing { (buffer) throws(Errno) in
            try checked(procPath(descriptor)) { asof_listxattr($0, buffer.baseAddress, buffer.count) }
        }
        return list.split(separator: 0).map { Array($0) }
    }

    /// `setxattr(2)`; `flags` is 0, `XATTR_CREATE` (1) or `XATTR_REPLACE` (2).
    package static func setExtendedAttribute(
        _ descriptor: Int32, _ name: some PathBytes, _ value: [UInt8], flags: Int32 = 0
    ) throws(Errno) {
        _ = try value.withUnsafeBufferPointer { (buffer) throws(Errno) in
            try nested(descriptor, name) { Int(asof_setxattr($0, $1, buffer.baseAddress, buffer.count, flags)) }
        }
    }

    /// `removexattr(2)`.
    package static func removeExtendedAttribute(_ descriptor: Int32, _ name: some PathBytes) throws(Errno) {
        _ = try nested(descriptor, name) { Int(asof_removexattr($0, $1)) }
    }

    private static func nested(
        _ descriptor: Int32, _ name: some PathBytes, _ call: (UnsafePointer<CChar>, UnsafePointer<CChar>) -> Int
    ) throws(Errno) -> Int {
        let path = procPath(descriptor)
        return try checked(name) { namePointer in path.withCString { call($0, namePointer) } }
    }

    /// Calls with a buffer that grows to the kernel's limit (64 KiB) while the answer is ERANGE.
    private static func growing(
        _ call: (UnsafeMutableRawBufferPointer) throws(Errno) -> Int
    ) throws(Errno) -> [UInt8] {
        var capacity = 1024
        while true {
            do throws(Errno) {
                var bytes = [UInt8](repeating: 0, count: capacity)
                let count = try bytes.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
                    try call(UnsafeMutableRawBufferPointer(buffer))
                }
                return Array(bytes.prefix(count))
            } catch {
                guard error.rawValue == ERANGE, capacity < 1 << 16 else { throw error }
                capacity = 1 << 16
            }
        }
    }
}
