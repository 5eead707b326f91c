internal import AsofCore
internal import Glibc

/// Linux system calls, thin and exact: each throws the `Errno` the kernel gave. Flags and modes are the C constants.
///
/// Calls that a signal may interrupt before they did anything are repeated (EINTR); a path with a NUL in it is EINVAL.
package enum SystemCall {
    /// The value of a call that says -1 when it fails.
    @inline(__always)
    static func checked<T: SignedInteger>(_ call: () -> T) throws(Errno) -> T {
        while true {
            let result = call()
            if result != -1 { return result }
            let code = errno
            if code != EINTR { throw Errno(code) }
        }
    }

    /// The same with a path.
    @inline(__always)
    static func checked<T: SignedInteger>(
        _ path: borrowing some PathBytes, _ call: (UnsafePointer<CChar>) -> T
    ) throws(Errno) -> T {
        while true {
            var code: Int32 = 0
            let result = path.withCPath { pointer in
                let result = call(pointer)
                code = errno
                return result
            }
            guard let result else { throw Errno(EINVAL) }
            if result != -1 { return result }
            if code != EINTR { throw Errno(code) }
        }
    }

    /// An offset or length as the kernel takes it; EOVERFLOW beyond 2^63 - 1.
    @inline(__always)
    static func signed(_ value: UInt64) throws(Errno) -> Int {
        guard let signed = Int(exactly: value) else { throw Errno(EOVERFLOW) }
        return signed
    }

    /// The path under which the kernel knows an open descriptor; works for `O_PATH` ones, and does not follow where those are
    /// symbolic links.
    package static func procPath(_ descriptor: Int32) -> String { "/proc/self/fd/\(descriptor)" }
}
