package import AsofCore
internal import Glibc

extension SystemCall {
    /// `open(2)`; `O_CLOEXEC` is always added.
    package static func open(_ path: some PathBytes, _ flags: Int32, mode: UInt32 = 0) throws(Errno) -> OwnedDescriptor {
        try open(at: AT_FDCWD, path, flags, mode: mode)
    }

    /// `openat(2)`; `O_CLOEXEC` is always added.
    package static func open(
        at directory: Int32, _ name: some PathBytes, _ flags: Int32, mode: UInt32 = 0
    ) throws(Errno) -> OwnedDescriptor {
        OwnedDescriptor(taking: try checked(name) { Glibc.openat(directory, $0, flags | O_CLOEXEC, mode_t(mode)) })
    }

    /// Opens the file behind a descriptor (also an `O_PATH` one) once more, with other flags. `O_NOFOLLOW` must not be among
    /// them.
    package static func reopen(_ descriptor: Int32, _ flags: Int32) throws(Errno) -> OwnedDescriptor {
        try open(procPath(descriptor), flags)
    }

    /// A second descriptor of the same open file: shares its offset and its locks.
    package static func duplicate(_ descriptor: Int32) throws(Errno) -> OwnedDescriptor {
        OwnedDescriptor(taking: try checked { fcntl(descriptor, F_DUPFD_CLOEXEC, 0) })
    }

    /// `flock(2)`, without waiting; false where somebody else holds a lock that conflicts. Goes away with the open file.
    package static func tryLock(_ descriptor: Int32, shared: Bool = false) throws(Errno) -> Bool {
        do throws(Errno) {
            _ = try checked { flock(descriptor, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) }
            return true
        } catch {
            if error.rawValue == EWOULDBLOCK { return false }
            throw error
        }
    }

    /// The same after a second at most: whoever was killed keeps a lock until the kernel has taken its memory apart.
    package static func tryLockBehindTheDead(_ descriptor: Int32) throws(Errno) -> Bool {
        for _ in 0..<20 {
            if try tryLock(descriptor) { return true }
            SystemClock.sleep(.milliseconds(50))
        }
        return try tryLock(descriptor)
    }

    /// `flock(2)`, waiting.
    package static func lock(_ descriptor: Int32, shared: Bool = false) throws(Errno) {
        _ = try checked { flock(descriptor, shared ? LOCK_SH : LOCK_EX) }
    }

    package static func unlock(_ descriptor: Int32) throws(Errno) {
        _ = try checked { flock(descriptor, LOCK_UN) }
    }

    /// Whether anybody has this regular file, open for reading here, open for writing (by trying for a read lease, `F_SETLEASE`); nil: that may
    /// not be asked without CAP_LEASE, or cannot be told here.
    package static func isOpenForWriting(_ descriptor: Int32) -> Bool? {
        let F_SETLEASE: Int32 = 1024
        guard fcntl(descriptor, F_SETLEASE, Int32(F_RDLCK)) == 0 else { return errno == EAGAIN ? true : nil }
        _ = fcntl(descriptor, F_SETLEASE, Int32(F_UNLCK))
        return false
    }

    /// `realpath(3)`: absolute, without symbolic links, `.` and `..`.
    package static func realPath(_ path: some PathBytes) throws(Errno) -> String {
        var code: Int32 = 0
        let resolved: String?? = path.withCPath { pointer in
            guard let buffer = Glibc.realpath(pointer, nil) else {
                code = errno
                return nil
            }
            defer { free(buffer) }
            return String(cString: buffer)
        }
        guard case .some(let text) = resolved else { throw Errno(EINVAL) }
        guard let text else { throw Errno(code) }
        return text
    }

    /// Raises the number of descriptors this process may open to the hard limit, and returns it.
    @discardableResult
    package static func raiseDescriptorLimit() throws(Errno) -> UInt64 {
        var limit = rlimit()
        _ = try checked { getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) }
        if limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max
            _ = try checked { setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) }
        }
        return UInt64(limit.rlim_cur)
    }
}
