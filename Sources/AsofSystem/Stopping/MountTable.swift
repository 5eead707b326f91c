internal import AsofCore

/// The mounts that a process sees: /proc/<pid>/mountinfo.
struct MountTable {
    struct Mount: Hashable {
        var id: Int
        /// `major:minor`.
        var device: [UInt8]
        /// Which directory of its file system is mounted.
        var root: [UInt8]
        var point: [UInt8]
        var fileSystem: String

        /// Where a path below the mount point lies in the file system.
        func volumePath(of path: [UInt8]) -> [UInt8]? {
            guard PathPrefix.covers(point, path) else { return nil }
            let rest = point == [0x2F] ? path[...] : path[point.count...]
            return root == [0x2F] ? Array(rest.isEmpty ? [0x2F] : rest) : root + rest
        }
    }

    var mounts: [Mount] = []

    /// `process` is a pid or `self`.
    init(of process: String) throws(Errno) {
        self.init(parsing: try SystemCall.readAll(path: "/proc/\(process)/mountinfo", limit: 1 << 26))
    }

    /// Leaves out lines that it does not understand.
    init(parsing bytes: [UInt8]) {
        for line in bytes.split(separator: 0x0A) {
            let fields = line.split(separator: 0x20)
            // id, parent, device, root, point, options, optional fields up to a dash, type, source, options.
            guard fields.count >= 9, let id = Int(String(decoding: fields[0], as: UTF8.self)),
                let dash = fields[6...].firstIndex(where: { $0.elementsEqual([0x2D]) }), dash + 1 < fields.count
            else { continue }
            mounts.append(
                Mount(
                    id: id, device: Array(fields[2]), root: OctalEscapes.decode(fields[3]),
                    point: OctalEscapes.decode(fields[4]), fileSystem: String(decoding: fields[dash + 1], as: UTF8.self)))
        }
    }

    func mount(id: Int) -> Mount? { mounts.last { $0.id == id } }

    /// The mount that a path goes through: the longest mount point, and of equal ones the last, which lies on top.
    func mount(covering path: [UInt8]) -> Mount? {
        var best: Mount?
        for mount in mounts where PathPrefix.covers(mount.point, path) && mount.point.count >= best?.point.count ?? 0 { best = mount }
        return best
    }
}

enum PathPrefix {
    /// Whether `path` is `directory` or lies below it; both absolute and without `.` and `..`.
    static func covers(_ directory: [UInt8], _ path: some Collection<UInt8>) -> Bool {
        if directory == [0x2F] { return path.first == 0x2F }
        guard path.starts(with: directory) else { return false }
        return path.count == directory.count || path.dropFirst(directory.count).first == 0x2F
    }
}

/// `\040` and the like, as /proc writes what would break its lines.
enum OctalEscapes {
    static func decode(_ text: some Sequence<UInt8>) -> [UInt8] {
        let text = Array(text)
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            if text[index] == UInt8(ascii: "\\"), index + 3 < text.count,
                let value = UInt8(String(decoding: text[(index + 1)...(index + 3)], as: UTF8.self), radix: 8)
            {
                result.append(value)
                index += 4
            } else {
                result.append(text[index])
                index += 1
            }
        }
        return result
    }
}
