internal import AsofCore
internal import AsofFileSystem
internal import Glibc

/// A file, directory or whatever else of a `MemoryFileSystem`; touched under its lock only.
final class MemoryNode {
    let id: NodeID
    var mode: UInt32
    var owner: UInt32
    var group: UInt32
    var links: UInt32 = 0
    var device: UInt64 = 0
    var modified = now()
    var changed = now()
    /// A file's bytes, or a symbolic link's target.
    var content: [UInt8] = []
    var directory = MemoryDirectory()
    /// Of a directory.
    var parent: NodeID = 1
    var extended: [Name: [UInt8]] = [:]
    /// References that the kernel holds.
    var lookups: UInt64 = 0
    var opens = 0

    /// Beyond this the disk is full. Real bytes stand behind every hole.
    private static let sizeLimit: UInt64 = 256 << 20

    init(id: NodeID, mode: UInt32, owner: UInt32, group: UInt32) {
        self.id = id
        self.mode = mode
        self.owner = owner
        self.group = group
    }

    var kind: FileKind? { FileKind(mode: mode) }

    var description: Node {
        let size = kind == .directory ? 4096 : UInt64(content.count)
        return Node(
            id: id, inode: InodeNumber(id),
            attributes: Attributes(
                mode: mode, links: links, owner: owner, group: group, size: size, device: device, modified: modified,
                changed: changed),
            blocks: (size + 4095) / 4096 * 8)
    }

    /// The content, or a directory's list, has changed.
    func touch() {
        modified = now()
        changed = modified
    }

    /// As write(2) by someone without CAP_FSETID does it: set-group-id stays where the group may not execute, and it means
    /// something else.
    func clearPrivileges() {
        guard kind != .directory else { return }
        mode &= ~0o4000
        if mode & 0o0010 != 0 { mode &= ~0o2000 }
        if let name = Name("security.capability") { extended[name] = nil }
    }

    func apply(_ changes: AttributeChanges, hasHandle: Bool, _ request: Request) throws(Errno) {
        if let size = changes.size {
            guard kind == .regular else { throw Errno(kind == .directory ? EISDIR : EINVAL) }
            // truncate(2) to the same size changes nothing. ftruncate(2), which comes with a handle, sets the time, and so does
            // O_TRUNC, which comes without: of an empty file it cannot be told from truncate(2), and is the likelier.
            let isSame = size == UInt64(content.count)
            try resize(to: size)
            if hasHandle || !isSame || size == 0 { modified = now() }
        }
        if request.clearsPrivileges { clearPrivileges() }
        if let mode = changes.mode { self.mode = self.mode & 0o170000 | mode }
        if let owner = changes.owner { self.owner = owner }
        if let group = changes.group { self.group = group }
        switch changes.modified {
        case .now: modified = now()
        case .at(let instant): modified = instant
        case nil: break
        }
        changed = now()
    }

    private func resize(to size: UInt64) throws(Errno) {
        guard size <= Self.sizeLimit else { throw Errno(EFBIG) }
        let size = Int(size)
        if size < content.count {
            content.removeLast(content.count - size)
        } else {
            content.append(contentsOf: repeatElement(0, count: size - content.count))
        }
    }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        guard kind == .regular else { throw Errno(EISDIR) }
        guard offset < UInt64(content.count) else { return 0 }
        let piece = content[Int(offset)...].prefix(buffer.count)
        buffer.copyBytes(from: piece)
        return piece.count
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(Errno) {
        guard kind == .regular else { throw Errno(EISDIR) }
        let (end, overflow) = offset.addingReportingOverflow(UInt64(bytes.count))
        guard !overflow, end <= Self.sizeLimit else { throw Errno(EFBIG) }
        if end > UInt64(content.count) { try resize(to: end) }
        content.withUnsafeMutableBytes { content in
            UnsafeMutableRawBufferPointer(rebasing: content[Int(offset)..<Int(end)]).copyMemory(from: bytes)
        }
        touch()
    }

    /// FALLOC_FL_KEEP_SIZE 1, PUNCH_HOLE 2, ZERO_RANGE 16, as fallocate(2).
    func allocate(mode: Int32, offset: UInt64, length: UInt64) throws(Errno) {
        guard kind == .regular else { throw Errno(ENODEV) }
        guard mode & ~0x13 == 0 else { throw Errno(EOPNOTSUPP) }
        let (end, overflow) = offset.addingReportingOverflow(length)
        guard !overflow, end <= Self.sizeLimit else { throw Errno(EFBIG) }
        if mode & 1 == 0, end > UInt64(content.count) { try resize(to: end) }
        if mode & 0x12 != 0 {
            let stop = min(Int(end), content.count)
            for index in min(Int(offset), stop)..<stop { content[index] = 0 }
        }
        touch()
    }
}
