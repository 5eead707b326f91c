internal import AsofCore
internal import AsofSystem
internal import Glibc

/// The overlay's bytes: one sparse file for each file that has some, bytes at the offsets that they have there.
final class DataFiles: Sendable {
    private struct Open {
        var recent: [InodeNumber: SharedDescriptor] = [:]
        var older: [InodeNumber: SharedDescriptor] = [:]
        /// Written to since the last checkpoint.
        var dirty: Set<InodeNumber> = []
        /// Bytes were lost on the way to the disk. The kernel says so once, and may show old ones from then on: nothing here is true any more. The
        /// journal has them, and a start writes them again.
        var hasFailed = false
    }

    private static let openMax = 512
    private let folder: SharedDescriptor
    private let open = Lock(Open())

    init(_ folder: SharedDescriptor) { self.folder = folder }

    private static func name(_ inode: InodeNumber) -> String { String(inode.rawValue, radix: 16) }

    private func file(_ inode: InodeNumber, creating: Bool) throws(Errno) -> SharedDescriptor {
        let known = try open.withLock { open throws(Errno) -> SharedDescriptor? in
            if open.hasFailed { throw Errno(EIO) }
            if creating { open.dirty.insert(inode) }
            if let found = open.recent[inode] { return found }
            guard let found = open.older.removeValue(forKey: inode) else { return nil }
            open.recent[inode] = found
            return found
        }
        if let known { return known }
        let flags = O_RDWR | (creating ? O_CREAT : 0)
        let opened = SharedDescriptor(try SystemCall.open(at: folder.unmanaged, Self.name(inode), flags, mode: 0o600))
        open.withLock { open in
            if open.recent.count >= Self.openMax / 2 {
                open.older = open.recent
                open.recent = [:]
            }
            open.recent[inode] = opened
        }
        return opened
    }

    /// `covered`: which parts of the range have bytes already. They come last: where there is no room for the others, nothing has changed.
    func write(_ inode: InodeNumber, at offset: UInt64, _ bytes: UnsafeRawBufferPointer, over covered: [Range<UInt64>]) throws(Errno) {
        let range = offset..<offset + UInt64(bytes.count)
        try file(inode, creating: true).withRaw { raw throws(Errno) in
            guard !covered.isEmpty, covered != [range] else { return try SystemCall.writeFully(raw, at: offset, bytes) }
            for isCovered in [false, true] {
                if isCovered { CrashPoint.reach("overlay.write.part") }
                try range.forEachPart(covered) { part, isWithin throws(Errno) in
                    guard isWithin == isCovered else { return }
                    let piece = bytes[Int(part.lowerBound - offset)..<Int(part.upperBound - offset)]
                    try SystemCall.writeFully(raw, at: part.lowerBound, UnsafeRawBufferPointer(rebasing: piece))
                }
            }
        }
    }

    /// Fills `buffer`: what is there was written, so the file is long enough.
    func read(_ inode: InodeNumber, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) {
        let count = try file(inode, creating: false).withRaw { raw throws(Errno) in try SystemCall.readFully(raw, at: offset, into: buffer) }
        // A file that is shorter than the overlay's table says was changed from outside.
        guard count == buffer.count else { throw Errno(EIO) }
    }

    /// Gives the space of bytes back that nobody refers to any more.
    func free(_ inode: InodeNumber, _ range: Range<UInt64>) {
        try? file(inode, creating: false).withRaw { raw throws(Errno) in
            let size = try SystemCall.status(raw).attributes.size
            guard range.lowerBound < size else { return }
            // FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE
            try SystemCall.allocate(raw, mode: 3, offset: range.lowerBound, length: min(range.upperBound, size) - range.lowerBound)
        }
    }

    func remove(_ inode: InodeNumber) {
        open.withLock { open in
            open.recent[inode] = nil
            open.older[inode] = nil
            open.dirty.remove(inode)
        }
        try? SystemCall.unlink(at: folder.unmanaged, Self.name(inode))
    }

    /// What was written to since this was last asked.
    func takeDirty() -> Set<InodeNumber> {
        open.withLock { open in
            defer { open.dirty = [] }
            return open.dirty
        }
    }

    /// They could not be made durable: they stay due.
    func putBack(_ dirty: Set<InodeNumber>) { open.withLock { $0.dirty.formUnion(dirty) } }

    /// Makes files durable, and that they exist.
    func synchronize(_ dirty: Set<InodeNumber>) throws(Errno) {
        for inode in dirty {
            let opened: SharedDescriptor
            do throws(Errno) { opened = try file(inode, creating: false) } catch {
                // Removed meanwhile.
                if error.rawValue == ENOENT { continue }
                throw error
            }
            do throws(Errno) { try opened.withRaw { raw throws(Errno) in try SystemCall.syncData(raw) } } catch {
                open.withLock { $0.hasFailed = true }
                throw error
            }
        }
        try SystemCall.sync(folder.unmanaged)
    }

    /// Removes files that belong to nobody.
    func removeAll(but kept: (InodeNumber) -> Bool) throws(Errno) {
        let reader = DirectoryReader(SharedDescriptor(try SystemCall.reopen(folder.unmanaged, O_RDONLY | O_DIRECTORY)))
        while let entry = try reader.next() {
            guard let number = UInt64(entry.name.description, radix: 16), !kept(InodeNumber(number)) else { continue }
            // It may be open: what is written to it later must not go to a file without a name.
            remove(InodeNumber(number))
        }
    }
}
