internal import AsofCore

/// One thing that a process can do to a directory tree. Paths are relative to its root; a slot names an open descriptor.
enum PosixOperation: Sendable {
    case open(slot: Int, path: String, flags: Int32, mode: UInt32)
    case close(slot: Int)
    case write(slot: Int, offset: UInt64, length: Int, seed: UInt64)
    /// write(2) at the descriptor's own position.
    case append(slot: Int, length: Int, seed: UInt64)
    case read(slot: Int, offset: UInt64, length: Int)
    case truncate(slot: Int, size: UInt64)
    case truncatePath(path: String, size: UInt64)
    case allocate(slot: Int, mode: Int32, offset: UInt64, length: UInt64)
    case synchronize(slot: Int, dataOnly: Bool)
    case status(slot: Int)
    /// Through a shared mapping of the whole file, cut to its size.
    case mappedRead(slot: Int, offset: Int, length: Int)
    case mappedWrite(slot: Int, offset: Int, length: Int, seed: UInt64, synchronizes: Bool)
    case changeModeOpen(slot: Int, mode: UInt32)
    case setTimesOpen(slot: Int, modified: Instant)

    case rename(from: String, to: String, flags: UInt32)
    case link(from: String, to: String)
    case unlink(path: String)
    case symbolicLink(target: String, path: String)
    case readLink(path: String)
    case statusPath(path: String)
    case changeMode(path: String, mode: UInt32)
    case changeOwner(path: String, owner: UInt32?, group: UInt32?)
    /// Nil: the kernel's clock.
    case setTimes(path: String, modified: Instant?)
    case setExtended(path: String, name: String, length: Int, seed: UInt64, flags: Int32)
    case extended(path: String, name: String)
    case removeExtended(path: String, name: String)
    case listExtended(path: String)
    case makeDirectory(path: String, mode: UInt32)
    case removeDirectory(path: String)
    case makeFIFO(path: String, mode: UInt32)
    case list(path: String)
    case synchronizeDirectory(path: String)
    case statistics
}
