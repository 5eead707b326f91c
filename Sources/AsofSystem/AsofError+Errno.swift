package import AsofCore
internal import CLinux
internal import Glibc

extension Errno {
    /// The system's words for it: "No space left on device".
    package var text: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard asof_error_text(rawValue, &buffer, buffer.count) == 0 else { return "error \(rawValue)" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension AsofError {
    /// A failed system call, said for people: `subject` names what was being done to what ("cannot write /backups/x").
    ///
    /// Full, failing and absent disks are `.unavailable`, since trying again may help once somebody has acted; the rest is
    /// `.failure`.
    package init(_ error: Errno, _ subject: String, hint: String) {
        let plain = AsofError(error, subject)
        self.init(plain.code, plain.message, hint: hint)
    }

    /// The same with the hint that the failure's kind suggests.
    package init(_ error: Errno, _ subject: String) {
        let message = "\(subject): \(error.text)"
        switch error.rawValue {
        case ENOSPC, EDQUOT:
            self.init(
                .unavailable, message,
                hint: "free space on that file system, or raise its quota; a running capture goes on by itself then, any other command is to be given again")
        case EIO, ENXIO, ENODEV, ESTALE, ETIMEDOUT, EHOSTDOWN, ENOTCONN:
            self.init(.unavailable, message, hint: "check the disk or the network mount (dmesg says more)")
        case EAGAIN, ENOMEM, EBUSY:
            self.init(.unavailable, message, hint: "the system is short of something now; try again")
        case EMFILE, ENFILE:
            self.init(.unavailable, message, hint: "too many open files: raise the limit (ulimit -n) or close other programs")
        case EACCES, EPERM:
            self.init(.failure, message, hint: "check owner and permissions of the path and of the folders above it")
        case EROFS:
            self.init(.failure, message, hint: "the file system is mounted read-only")
        default:
            self.init(.failure, message)
        }
    }
}
