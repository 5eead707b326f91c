internal import AsofCore
internal import AsofSystem
internal import Glibc

/// What can hinder a mount, each as a person should read it.
enum MountFailure {
    static func text(of error: Errno) -> String { String(cString: strerror(error.rawValue)) }

    /// The absolute path of an existing directory that can be mounted over.
    static func checkedMountPoint(_ path: String) throws(AsofError) -> String {
        do throws(Errno) {
            guard try SystemCall.status(path).attributes.isDirectory else { throw Errno(ENOTDIR) }
            return try SystemCall.realPath(path)
        } catch {
            switch error.rawValue {
            case ENOENT:
                throw AsofError(.usage, "mount point \(path) does not exist", hint: "Create it: mkdir -p \(path)")
            case ENOTDIR:
                throw AsofError(.usage, "mount point \(path) is not a directory", hint: "Give an empty directory.")
            case ENOTCONN, ECONNABORTED:
                throw AsofError(
                    .failure, "\(path) is a mount whose server is gone", hint: "Take it away first: asof umount \(path)")
            case EACCES, EPERM:
                throw AsofError(
                    .failure, "no permission to mount at \(path)", hint: "Mount at a directory of your own, or run asof as root.")
            default:
                throw AsofError(.failure, "cannot mount at \(path): \(text(of: error))")
            }
        }
    }

    /// The kernel's side of FUSE is there and may be used.
    static func checkDevice(_ path: String = "/dev/fuse") throws(AsofError) {
        do throws(Errno) {
            _ = try SystemCall.open(path, O_RDWR | O_CLOEXEC)
        } catch {
            switch error.rawValue {
            case ENOENT, ENODEV, ENXIO:
                throw AsofError(
                    .failure, "\(path) is missing: this kernel or container cannot mount FUSE file systems",
                    hint: "On a host: modprobe fuse. In a container: --device /dev/fuse --cap-add SYS_ADMIN. "
                        + "There is no way to look into the past without it yet.")
            case EACCES, EPERM:
                throw AsofError(
                    .failure, "no permission to open \(path)",
                    hint: "Run asof as root, or allow \(path) for this user or container.")
            default:
                throw AsofError(.failure, "cannot open \(path): \(text(of: error))")
            }
        }
    }

    /// libfuse could not mount; `said` is its own explanation.
    static func refused(_ path: String, _ said: String, _ options: MountOptions) -> AsofError {
        var hint: String?
        if geteuid() != 0 {
            hint = "Mounting as a user needs fusermount3 (package fuse3) and a directory of your own."
            if options.allowOther { hint = "allow_other needs user_allow_other in /etc/fuse.conf, or root." }
        } else if said.contains("Operation not permitted") {
            hint = "The container lacks CAP_SYS_ADMIN: run it with --cap-add SYS_ADMIN --device /dev/fuse."
        }
        return AsofError(.failure, "cannot mount at \(path): \(said.isEmpty ? "refused" : said)", hint: hint)
    }

    static func cannotUnmount(_ path: String, _ error: Errno) -> AsofError {
        switch error.rawValue {
        case EBUSY:
            AsofError(
                .failure, "\(path) is in use", hint: "Close what is open in it (fuser -vm \(path)), or unmount lazily.")
        case EPERM:
            AsofError(.failure, "no permission to unmount \(path)", hint: "Unmount it as the user who mounted it, or as root.")
        default:
            AsofError(.failure, "cannot unmount \(path): \(text(of: error))")
        }
    }
}
