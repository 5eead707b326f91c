internal import AsofCore
internal import Glibc

/// Files of one process in a tree that it may write: open, and mapped.
struct ProcessFiles {
    /// Device and inode number.
    struct Identity: Hashable {
        var device: UInt64
        var inode: UInt64
    }

    private(set) var open: Set<Identity> = []
    private(set) var mapped: Set<Identity> = []
    private let pid: Int32
    private let tree: WatchedTree
    private let sharesNamespace: Bool
    /// The process's mounts, read when first needed.
    private var ownMounts: MountTable?

    init(of pid: Int32, below tree: WatchedTree) throws(Errno) {
        self.pid = pid
        self.tree = tree
        sharesNamespace = try SystemCall.readLink(at: AT_FDCWD, "/proc/\(pid)/ns/mnt") == tree.namespace
        try scanDescriptors()
        try scanMappings()
    }

    /// Its mappings only.
    init(mappedBy pid: Int32, below tree: WatchedTree) throws(Errno) {
        self.pid = pid
        self.tree = tree
        sharesNamespace = try SystemCall.readLink(at: AT_FDCWD, "/proc/\(pid)/ns/mnt") == tree.namespace
        try scanMappings()
    }

    private mutating func scanDescriptors() throws(Errno) {
        let reader = try DirectoryReader("/proc/\(pid)/fd")
        while let entry = try reader.next() {
            let path = "/proc/\(pid)/fd/\(entry.name)"
            // What fails here was closed in between.
            guard let link = try? SystemCall.readLink(at: AT_FDCWD, path), link.first == 0x2F,
                let information = try? DescriptorInformation(process: "\(pid)", descriptor: entry.name.description),
                information.isWritable
            else { continue }
            var isInside = sharesNamespace && PathPrefix.covers(tree.path, link)
            if !isInside { isInside = tree.contains(link, through: mounts()?.mount(id: information.mount)) }
            if isInside, let identity = Self.regularFile(path) { open.insert(identity) }
        }
    }

    /// Lines of /proc/<pid>/maps: range, permissions, offset, device, inode, path.
    private mutating func scanMappings() throws(Errno) {
        let bytes = try SystemCall.readAll(path: "/proc/\(pid)/maps", limit: 1 << 28)
        for line in bytes.split(separator: 0x0A) {
            let fields = line.split(separator: 0x20, maxSplits: 5)
            guard fields.count == 6 else { continue }
            let permissions = Array(fields[1])
            guard permissions.count == 4, permissions[1] == UInt8(ascii: "w"), permissions[3] == UInt8(ascii: "s") else { continue }
            let path = OctalEscapes.decode(fields[5].drop { $0 == 0x20 })
            guard path.first == 0x2F else { continue }
            var isInside = sharesNamespace && PathPrefix.covers(tree.path, path)
            if !isInside { isInside = tree.contains(path, through: mounts()?.mount(covering: path)) }
            guard isInside, let inode = UInt64(String(decoding: fields[4], as: UTF8.self)) else { continue }
            mapped.insert(Identity(device: Self.device(fields[3]), inode: inode))
        }
    }

    private mutating func mounts() -> MountTable? {
        if sharesNamespace { return tree.mounts }
        if ownMounts == nil { ownMounts = try? MountTable(of: "\(pid)") }
        return ownMounts
    }

    private static func regularFile(_ path: String) -> Identity? {
        guard let status = try? SystemCall.status(path), status.attributes.mode & 0o170000 == 0o100000 else { return nil }
        return Identity(device: status.device, inode: status.inode)
    }

    /// `major:minor` in hexadecimal, as one number that differs where they do.
    private static func device(_ text: ArraySlice<UInt8>) -> UInt64 {
        let parts = text.split(separator: 0x3A).compactMap { UInt64(String(decoding: $0, as: UTF8.self), radix: 16) }
        return parts.count == 2 ? parts[0] << 32 | parts[1] : 0
    }
}
