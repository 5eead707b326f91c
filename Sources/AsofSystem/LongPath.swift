package import AsofCore
internal import Glibc

/// Paths that are longer than the kernel takes them: it is reached for through folders on the way.
package enum LongPath {
    /// A path of this length, with the NUL at its end, is the longest that a system call takes.
    private static let lengthMax = 4096

    /// Runs `body` with a folder's descriptor and what is left of the path from there. No folder on the way may be a symbolic link where the path is long.
    package static func reach<Value: ~Copyable>(_ path: [UInt8], _ body: (_ folder: Int32, _ rest: [UInt8]) throws(Errno) -> Value) throws(Errno) -> Value {
        guard path.count >= lengthMax else { return try body(AT_FDCWD, path) }
        var (folder, rest) = (nil as SharedDescriptor?, path[...])
        while rest.count >= lengthMax {
            guard let slash = rest.prefix(lengthMax - 1).lastIndex(of: UInt8(ascii: "/")), slash > rest.startIndex else { throw Errno(ENAMETOOLONG) }
            folder = SharedDescriptor(try SystemCall.open(at: folder?.unmanaged ?? AT_FDCWD, Array(rest[..<slash]), SystemCall.O_PATH | O_DIRECTORY | O_NOFOLLOW))
            rest = rest[(slash + 1)...]
        }
        defer { withExtendedLifetime(folder) {} }
        return try body(folder?.unmanaged ?? AT_FDCWD, Array(rest))
    }
}
