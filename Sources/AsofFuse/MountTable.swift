internal import AsofSystem
internal import Glibc

/// What this thread's mount namespace holds, read from `/proc/thread-self/mountinfo`: it asks no file system anything, so a dead or
/// busy mount cannot block it.
package enum MountTable {
    /// "major:minor" of the topmost mount at `path` (absolute, without links); nil where there is none or /proc is not there.
    static func device(at path: String) -> String? {
        guard let bytes = try? SystemCall.readAll(path: "/proc/thread-self/mountinfo") else { return nil }
        return device(at: Array(path.utf8), in: bytes)
    }

    /// True when something is mounted at `path` (absolute, without links).
    package static func isMountPoint(_ path: String) -> Bool { device(at: path) != nil }

    /// True when the topmost mount at `path` is one of asof's.
    package static func isOurs(_ path: String) -> Bool {
        guard let bytes = try? SystemCall.readAll(path: "/proc/thread-self/mountinfo") else { return false }
        return type(at: Array(path.utf8), in: bytes)?.hasPrefix("fuse.asof") ?? false
    }

    /// The directories that `record` captures now, and where it shows them.
    package static func recorded() -> [(backing: String, mountPoint: String)] {
        guard let bytes = try? SystemCall.readAll(path: "/proc/thread-self/mountinfo") else { return [] }
        return recorded(in: bytes)
    }

    static func recorded(in table: [UInt8]) -> [(backing: String, mountPoint: String)] {
        table.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            guard fields.count >= 5, let dash = fields.firstIndex(of: [UInt8(ascii: "-")]), dash + 2 < fields.count, fields[dash + 1].elementsEqual("fuse.asof-record".utf8)
            else { return nil }
            return (String(decoding: unescaped(fields[dash + 2]), as: UTF8.self), String(decoding: unescaped(fields[4]), as: UTF8.self))
        }
    }

    /// The user whose mount is topmost at `path`; nil where there is none, or its file system does not say.
    package static func owner(of path: String) -> UInt32? {
        guard let bytes = try? SystemCall.readAll(path: "/proc/thread-self/mountinfo") else { return nil }
        return owner(at: Array(path.utf8), in: bytes)
    }

    /// In a mount namespace that was just made: takes away the copies of asof's mounts whose end in their own namespace would not reach us. Their
    /// servers would go on for as long as anybody lives in this one. Returns where they were; in a user's namespace they cannot be taken away.
    package static func detachCopies() -> [String] {
        guard let bytes = try? SystemCall.readAll(path: "/proc/thread-self/mountinfo") else { return [] }
        let copies = copies(in: bytes)
        var detached: [String] = []
        for path in copies.reversed() {
            let isGone = path.withUnsafeBufferPointer { text in
                // UMOUNT_NOFOLLOW
                text.withMemoryRebound(to: CChar.self) { umount2($0.baseAddress, Int32(MNT_DETACH) | 8) == 0 }
            }
            if isGone { detached.append(String(decoding: path.dropLast(), as: UTF8.self)) }
        }
        return detached.reversed()
    }

    /// Paths, each with a NUL at its end, of asof's mounts that nothing propagates to: `master:` is not among their optional fields.
    static func copies(in table: [UInt8]) -> [[UInt8]] {
        table.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            guard fields.count >= 5, let dash = fields.firstIndex(of: [UInt8(ascii: "-")]), dash >= 6, dash + 1 < fields.count,
                fields[dash + 1].starts(with: "fuse.asof".utf8), !fields[6..<dash].contains(where: { $0.starts(with: "master:".utf8) })
            else { return nil }
            return unescaped(fields[4]) + [0]
        }
    }

    /// The type of the topmost mount at `path`; nil where there is none.
    static func type(at path: [UInt8], in table: [UInt8]) -> String? {
        fileSystem(at: path, in: table).first.map { String(decoding: $0, as: UTF8.self) }
    }

    static func owner(at path: [UInt8], in table: [UInt8]) -> UInt32? {
        guard let options = fileSystem(at: path, in: table).dropFirst(2).first else { return nil }
        let prefix = Array("user_id=".utf8)
        return options.split(separator: UInt8(ascii: ",")).first { $0.starts(with: prefix) }
            .flatMap { UInt32(String(decoding: $0.dropFirst(prefix.count), as: UTF8.self)) }
    }

    /// Type, source and options of the topmost mount at `path`.
    private static func fileSystem(at path: [UInt8], in table: [UInt8]) -> ArraySlice<ArraySlice<UInt8>> {
        var found: ArraySlice<ArraySlice<UInt8>> = []
        for line in table.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            guard fields.count >= 5, unescaped(fields[4]) == path, let dash = fields.firstIndex(of: [UInt8(ascii: "-")]), dash + 1 < fields.count
            else { continue }
            found = fields[(dash + 1)...]
        }
        return found
    }

    /// The same in a given table. A line: `36 35 98:0 /root /mount\040point rw … - type source options`.
    static func device(at path: [UInt8], in table: [UInt8]) -> String? {
        var found: String?
        for line in table.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5, omittingEmptySubsequences: false)
            // A later line lies on top of an earlier one.
            if fields.count >= 5, unescaped(fields[4]) == path { found = String(decoding: fields[2], as: UTF8.self) }
        }
        return found
    }

    /// Space, tab, newline and backslash stand there as a backslash and three octal digits.
    private static func unescaped(_ field: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        var rest = field
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            guard byte == UInt8(ascii: "\\"), digits.count == 3, digits.allSatisfy({ (0x30...0x37).contains($0) }) else {
                result.append(byte)
                continue
            }
            result.append(digits.reduce(0) { $0 &* 8 &+ ($1 &- 0x30) })
            rest = rest.dropFirst(3)
        }
        return result
    }
}
