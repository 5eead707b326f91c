internal import AsofCore
internal import Glibc

/// A directory, so that paths of other processes can be held against it, whatever they call it.
struct WatchedTree {
    /// In our own mount namespace, without symbolic links.
    let path: [UInt8]
    /// `major:minor` of its file system and where it lies in there: the same for every mount namespace and every bind mount.
    let device: [UInt8]
    let volumePath: [UInt8]
    /// Our mount namespace as /proc names it.
    let namespace: [UInt8]
    let mounts: MountTable

    init(_ directory: String) throws(Errno) {
        path = Array(try SystemCall.realPath(directory).utf8)
        let descriptor = try SystemCall.open(directory, SystemCall.O_PATH | O_DIRECTORY)
        mounts = try MountTable(of: "self")
        let information = try DescriptorInformation(process: "self", descriptor: "\(descriptor.raw)")
        guard let mount = mounts.mount(id: information.mount), let volumePath = mount.volumePath(of: path) else {
            throw Errno(ENOENT)
        }
        device = mount.device
        self.volumePath = volumePath
        namespace = try SystemCall.readLink(at: AT_FDCWD, "/proc/self/ns/mnt")
    }

    /// Whether `path`, which goes through `mount`, is in the tree.
    func contains(_ path: [UInt8], through mount: MountTable.Mount?) -> Bool {
        guard let mount, mount.device == device, let volumePath = mount.volumePath(of: path) else { return false }
        return PathPrefix.covers(self.volumePath, volumePath)
    }
}

/// Two lines of /proc/<pid>/fdinfo/<n>.
struct DescriptorInformation {
    var flags: Int32
    var mount: Int

    init(process: String, descriptor: String) throws(Errno) {
        let bytes = try SystemCall.readAll(path: "/proc/\(process)/fdinfo/\(descriptor)", limit: 1 << 20)
        guard let parsed = Self(parsing: bytes) else { throw Errno(EIO) }
        self = parsed
    }

    init?(parsing bytes: [UInt8]) {
        var flags: Int32?
        var mount: Int?
        for line in bytes.split(separator: 0x0A) {
            let parts = line.split(separator: 0x3A, maxSplits: 1)
            guard parts.count == 2 else { continue }
            let value = String(decoding: parts[1].filter { $0 > 0x20 }, as: UTF8.self)
            if parts[0].elementsEqual("flags".utf8) { flags = Int32(value, radix: 8) }
            if parts[0].elementsEqual("mnt_id".utf8) { mount = Int(value) }
            if let flags, let mount {
                self.flags = flags
                self.mount = mount
                return
            }
        }
        return nil
    }

    var isWritable: Bool { flags & SystemCall.O_PATH == 0 && (flags & O_ACCMODE == O_WRONLY || flags & O_ACCMODE == O_RDWR) }
}
