package import AsofCore
package import AsofSystem
internal import Glibc

/// A directory tree as it is found: every name with what lies behind it. For comparing a mount with a plain directory.
package struct TreeSnapshot: Sendable {
    package struct Entry: Sendable {
        package var status: FileStatus
        /// A file's content or a symbolic link's target.
        package var bytes: [UInt8]
        /// Extended attributes of files and directories, `user.` and `trusted.` only.
        package var attributes: [String: [UInt8]]
        /// The first of the names (in sorted order) that share the inode.
        package var firstName: String
    }

    /// By path relative to the root, which itself is "".
    package private(set) var entries: [String: Entry] = [:]

    /// Reads everything below `root`. Throws the first error it meets.
    package init(of root: String) throws(Errno) {
        var firstNames: [UInt64: String] = [:]
        var pending = [""]
        while let path = pending.popLast() {
            let full = path.isEmpty ? root : root + "/" + path
            let status = try SystemCall.status(full, following: false)
            var entry = Entry(status: status, bytes: [], attributes: [:], firstName: path)
            let kind = status.attributes.kind
            if kind == .symbolicLink {
                entry.bytes = try SystemCall.readLink(at: AT_FDCWD, full)
            } else if kind == .regular {
                entry.bytes = try SystemCall.readAll(path: full)
            }
            if kind == .regular || kind == .directory { entry.attributes = try Self.attributes(of: full) }
            if kind == .directory {
                pending += try Self.names(in: full).map { path.isEmpty ? $0 : path + "/" + $0 }
            } else {
                let first = firstNames[status.inode].map { min($0, path) } ?? path
                firstNames[status.inode] = first
            }
            entries[path] = entry
        }
        for (path, entry) in entries { entries[path]?.firstName = firstNames[entry.status.inode] ?? path }
    }

    package static func isCompared(attribute: String) -> Bool { attribute.hasPrefix("user.") || attribute.hasPrefix("trusted.") }

    private static func attributes(of path: String) throws(Errno) -> [String: [UInt8]] {
        let file = try SystemCall.open(path, SystemCall.O_PATH | O_NOFOLLOW | O_CLOEXEC)
        var result: [String: [UInt8]] = [:]
        for name in try SystemCall.extendedAttributeNames(file.raw) {
            let text = String(decoding: name, as: UTF8.self)
            if isCompared(attribute: text) { result[text] = try SystemCall.extendedAttribute(file.raw, name) }
        }
        return result
    }

    /// The names in a directory, without `.` and `..`, in its own order.
    package static func names(in path: String) throws(Errno) -> [String] {
        guard let directory = opendir(path) else { throw Errno(errno) }
        defer { closedir(directory) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(directory) else {
                if errno != 0 { throw Errno(errno) }
                return names
            }
            let name = withUnsafePointer(to: entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
    }

    /// Where `self` (found) differs from `expected`, one line each, 20 at most.
    package func differences(from expected: TreeSnapshot) -> [String] {
        var lines: [String] = []
        for path in Set(entries.keys).union(expected.entries.keys).sorted() {
            let shown = path.isEmpty ? "." : path
            guard let left = entries[path] else {
                lines.append("\(shown): missing")
                continue
            }
            guard let right = expected.entries[path] else {
                lines.append("\(shown): should not be there")
                continue
            }
            // The two roots are made by the test, not by the operations.
            if left.status.comparable != right.status.comparable, !path.isEmpty {
                lines.append("\(shown): \(left.status.comparable), expected \(right.status.comparable)")
            }
            if left.bytes != right.bytes { lines.append("\(shown): " + Self.difference(left.bytes, right.bytes)) }
            if left.attributes != right.attributes {
                lines.append(
                    "\(shown): attributes \(left.attributes.keys.sorted()), expected \(right.attributes.keys.sorted()), or their values")
            }
            if left.firstName != right.firstName {
                lines.append("\(shown): one file with \(left.firstName), expected \(right.firstName)")
            }
        }
        return Array(lines.prefix(20))
    }

    private static func difference(_ left: [UInt8], _ right: [UInt8]) -> String {
        let first = zip(left, right).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? min(left.count, right.count)
        let around = (left.dropFirst(first).prefix(8).map { String($0) }, right.dropFirst(first).prefix(8).map { String($0) })
        return "\(left.count) bytes, expected \(right.count); first difference at \(first): "
            + "\(around.0.joined(separator: " ")), expected \(around.1.joined(separator: " "))"
    }
}
