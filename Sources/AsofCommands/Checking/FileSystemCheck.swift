internal import AsofCore
internal import AsofSystem
internal import Glibc

/// Whether the directory's file system has what following needs.
enum FileSystemCheck {
    /// By the magic number of `statfs`.
    static func name(_ type: UInt64) -> String {
        switch type {
        case 0xEF53: "ext4"
        case 0x5846_5342: "xfs"
        case 0x9123_683E: "btrfs"
        case 0x0102_1994: "tmpfs"
        case 0x794C_7630: "overlay"
        case 0x6969: "nfs"
        case 0xFF53_4D42, 0xFE53_4D42: "smb"
        case 0x0BD0_0BD0, 0x00C3_6400: "a cluster file system"
        case 0x6573_5546: "fuse"
        case 0x2FC1_2FC1: "zfs"
        default: "file system \(String(type, radix: 16))"
        }
    }

    static func judge(type: UInt64) -> CheckResult {
        let subject = "file system"
        switch name(type) {
        case "nfs", "smb", "a cluster file system":
            return .weak(subject, "\(name(type)): what another host writes is not heard of", hint: "run asof on the host that runs the server, and let no other write there")
        case "fuse": return .weak(subject, "fuse: its own server must not be the one that is stopped", hint: "follow the directory behind the mount")
        case "overlay": return .weak(subject, "overlay: a container's own layer, gone with it", hint: "keep the data on a volume")
        default: return .ok(subject, name(type))
        }
    }

    static func run(_ directory: String) -> [CheckResult] {
        do throws(Errno) {
            let opened = try SystemCall.open(directory, O_RDONLY | O_DIRECTORY)
            var results = [judge(type: try SystemCall.fileSystemStatus(opened.raw).type)]
            let handle: CheckResult
            do throws(Errno) {
                _ = try StableHandle(of: opened.raw).open(opened.raw, O_RDONLY | O_DIRECTORY)
                handle = .ok("file handles", "files have identities that last, and are opened by them")
            } catch {
                handle = error.rawValue == EPERM
                    ? .missing("file handles", "files may not be opened by their identities", hint: "that needs CAP_DAC_READ_SEARCH outside of any user namespace")
                    : .missing("file handles", "this file system cannot name its files for good: \(error.text)", hint: "ext4, xfs and btrfs can")
            }
            results.append(handle)
            return results
        } catch {
            return [.missing("directory", "\(directory) cannot be opened: \(error.text)", hint: "is the path right, and may this user read it?")]
        }
    }
}
