internal import AsofCore
internal import Glibc

/// A file system did something that Linux does not. The text says what, and how to see it again.
package struct PosixFailure: Error, CustomStringConvertible, Sendable {
    package let description: String

    package init(_ description: String) { self.description = description }

    /// Fails with `message` unless `condition` holds.
    static func check(_ condition: Bool, _ message: @autoclosure () -> String) throws {
        if !condition { throw PosixFailure(message()) }
    }

    /// Fails unless both are equal.
    static func equal<T: Equatable>(_ found: T, _ expected: T, _ what: @autoclosure () -> String) throws {
        if found != expected { throw PosixFailure("\(what()): \(found), expected \(expected)") }
    }

    /// Fails unless `body` fails with exactly this error.
    static func expect(_ code: Int32, _ what: String, _ body: () throws(Errno) -> Void) throws {
        do throws(Errno) {
            try body()
        } catch {
            return try equal(error.label, Errno(code).label, what)
        }
        throw PosixFailure("\(what): succeeded, expected \(Errno(code).label)")
    }
}

extension Errno {
    /// Such as "ENOENT" for what file systems say, else the number.
    var label: String {
        let names: [Int32: String] = [
            0: "success", EPERM: "EPERM", ENOENT: "ENOENT", EIO: "EIO", ENXIO: "ENXIO", EBADF: "EBADF", EAGAIN: "EAGAIN",
            EACCES: "EACCES", EBUSY: "EBUSY", EEXIST: "EEXIST", EXDEV: "EXDEV", ENODEV: "ENODEV", ENOTDIR: "ENOTDIR",
            EISDIR: "EISDIR", EINVAL: "EINVAL", ETXTBSY: "ETXTBSY", EFBIG: "EFBIG", ENOSPC: "ENOSPC", ESPIPE: "ESPIPE",
            EROFS: "EROFS", EMLINK: "EMLINK", ERANGE: "ERANGE", ENAMETOOLONG: "ENAMETOOLONG", ENOSYS: "ENOSYS",
            ENOTEMPTY: "ENOTEMPTY", ELOOP: "ELOOP", ENODATA: "ENODATA", EOPNOTSUPP: "EOPNOTSUPP", ESTALE: "ESTALE",
            ENOTCONN: "ENOTCONN", ECONNABORTED: "ECONNABORTED",
        ]
        return names[rawValue] ?? "errno \(rawValue)"
    }
}
