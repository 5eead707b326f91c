internal import AsofCore
internal import AsofSystem

/// What came of an operation, in what both sides must agree.
struct PosixOutcome: Equatable, Sendable, CustomStringConvertible {
    var error: Int32 = 0
    var number: Int = 0
    var bytes: [UInt8] = []
    var text: [String] = []

    var isSuccess: Bool { error == 0 }

    var description: String {
        guard isSuccess else { return Errno(error).label }
        var parts = ["success"]
        if number != 0 { parts.append("\(number)") }
        if !bytes.isEmpty { parts.append("\(bytes.count) bytes, hash \(String(bytes.checksum, radix: 16))") }
        if !text.isEmpty { parts.append(text.joined(separator: " ")) }
        return parts.joined(separator: " ")
    }
}

extension [UInt8] {
    /// FNV-1a.
    var checksum: UInt64 { reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 } }
}

extension FileStatus {
    /// The fields in which every file system must agree. A directory's size and link count are its own business. A time that was
    /// set (long ago) must be exact; one that a change has set is only "now".
    var comparable: [String] {
        let kind = attributes.mode & 0o170000
        var fields = ["mode \(String(attributes.mode, radix: 8))", "owner \(attributes.owner):\(attributes.group)"]
        if kind != 0o040000 { fields.append("links \(attributes.links)") }
        if kind == 0o100000 || kind == 0o120000 { fields.append("size \(attributes.size)") }
        let isExplicit = attributes.modified.seconds < 1_500_000_000
        // What is written into a pipe never reaches a FUSE file system: its times are the kernel's own affair.
        if attributes.kind == .fifo { return fields }
        fields.append(isExplicit ? "mtime \(attributes.modified.nanoseconds)" : "mtime now")
        return fields
    }
}
