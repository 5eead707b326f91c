internal import AsofCore
internal import AsofSystem
internal import Glibc

/// Draws operations. It remembers names that were made so that most operations meet something, and forgets them loosely: a wrong
/// memory only makes an error case.
struct PosixGenerator {
    private var random: PosixRandom
    private var known: [String] = []
    private let isRoot = geteuid() == 0

    /// Slots that hold a descriptor.
    var openSlots: [Int] = []

    static let slots = 6
    private static let names = ["a", "b", "c", "d", "e", "ä", "with space", "x.tmp"]
    private static let attributes = ["user.one", "user.two", "user.drei", "trusted.four"]
    /// Files stay below this; large enough for several pages and the kernel's larger folios.
    private static let sizeLimit = 600_000

    init(seed: UInt64) { random = PosixRandom(seed: seed) }

    /// The names that exist, as a look at the tree has found them.
    mutating func remember(_ paths: [String]) { known = paths }

    /// An operation has made this name.
    mutating func remember(_ path: String) { known.append(path) }

    private mutating func existing() -> String {
        if known.isEmpty || random.chance(8) { return fresh() }
        return known[random.below(known.count)]
    }

    private mutating func fresh() -> String {
        var path = Self.names[random.below(Self.names.count)]
        if random.chance(2) { path = String(repeating: "n", count: random.chance(50) ? 255 : 256) }
        if !known.isEmpty, random.chance(55) {
            let parent = known[random.below(known.count)]
            if parent.utf8.count < 400 { path = parent + "/" + path }
        }
        return path
    }

    /// Mostly one that is open.
    private mutating func slot() -> Int {
        openSlots.isEmpty || random.chance(5) ? random.below(Self.slots) : openSlots[random.below(openSlots.count)]
    }

    private mutating func offset() -> UInt64 {
        switch random.below(10) {
        case 0...3: UInt64(random.below(300))
        case 4...5: UInt64(random.below(20) * 4096)
        default: UInt64(random.below(Self.sizeLimit / 2))
        }
    }

    private mutating func length() -> Int {
        switch random.below(10) {
        case 0...5: random.below(2000)
        case 6...7: random.below(8) * 4096
        case 8: 0
        default: random.below(Self.sizeLimit / 2)
        }
    }

    /// Long ago, to the nanosecond: told apart from times that a change has set.
    private mutating func instant() -> Instant {
        Instant(seconds: Int64(random.below(600_000_000)) + 600_000_000, nanoseconds: Int64(random.below(1_000_000_000)))
    }

    private mutating func mode() -> UInt32 {
        let modes: [UInt32] = [0o644, 0o600, 0o755, 0o700, 0o4755, 0o2755, 0o2644, 0o6711, 0o1777, 0o000]
        return modes[random.below(modes.count)]
    }

    mutating func next() -> PosixOperation {
        switch random.below(100) {
        case 0...13: opening()
        case 14...17: .close(slot: slot())
        case 18...29: .write(slot: slot(), offset: offset(), length: length(), seed: random.next())
        case 30...35: .append(slot: slot(), length: length(), seed: random.next())
        case 36...41: .read(slot: slot(), offset: offset(), length: length())
        case 42...57: onDescriptor()
        case 58...63: .rename(from: existing(), to: random.chance(50) ? existing() : fresh(), flags: renameFlags())
        case 64...67: .unlink(path: existing())
        case 68...73: .makeDirectory(path: fresh(), mode: mode())
        case 74...75: .removeDirectory(path: existing())
        default: onPath()
        }
    }

    private mutating func opening() -> PosixOperation {
        var flags = [O_RDWR, O_RDWR, O_RDWR, O_RDONLY, O_WRONLY][random.below(5)]
        let creates = random.chance(70)
        if creates { flags |= O_CREAT }
        if creates, random.chance(25) { flags |= O_EXCL }
        if random.chance(15) { flags |= O_TRUNC }
        if random.chance(20) { flags |= O_APPEND }
        if random.chance(5) { flags |= O_DIRECTORY }
        if random.chance(5) { flags |= O_NOFOLLOW }
        let path = creates && random.chance(60) ? fresh() : existing()
        return .open(slot: random.below(Self.slots), path: path, flags: flags, mode: mode())
    }

    private mutating func renameFlags() -> UInt32 {
        switch random.below(10) {
        case 0...1: 1
        case 2...3: 2
        default: 0
        }
    }

    private mutating func onDescriptor() -> PosixOperation {
        let slot = slot()
        switch random.below(12) {
        case 0...1: return .truncate(slot: slot, size: offset())
        case 2...3:
            // Not FALLOC_FL_COLLAPSE_RANGE and the like, which the kernel refuses for every FUSE file system.
            let modes: [Int32] = [0, 1, 3, 0x10, 0x11, 2]
            return .allocate(
                slot: slot, mode: modes[random.below(modes.count)], offset: offset(), length: UInt64(length()))
        case 4: return .synchronize(slot: slot, dataOnly: random.chance(50))
        case 5...6: return .status(slot: slot)
        case 7...8: return .mappedRead(slot: slot, offset: Int(offset()), length: length())
        case 9...10:
            return .mappedWrite(
                slot: slot, offset: Int(offset()), length: length(), seed: random.next(), synchronizes: random.chance(60))
        default:
            return random.chance(50)
                ? .changeModeOpen(slot: slot, mode: mode()) : .setTimesOpen(slot: slot, modified: instant())
        }
    }

    private mutating func onPath() -> PosixOperation {
        switch random.below(24) {
        case 0...2: return .link(from: existing(), to: fresh())
        case 3: return .symbolicLink(target: Self.names[random.below(Self.names.count)], path: fresh())
        case 4: return .readLink(path: existing())
        case 5...6: return .statusPath(path: existing())
        case 7...8: return .changeMode(path: existing(), mode: mode())
        case 9:
            guard isRoot else { return .statistics }
            let owner: UInt32? = random.chance(70) ? UInt32(1000 + random.below(3)) : nil
            return .changeOwner(
                path: existing(), owner: owner, group: owner == nil || random.chance(50) ? UInt32(random.below(3)) : nil)
        case 10...11: return .setTimes(path: existing(), modified: random.chance(80) ? instant() : nil)
        case 12...14:
            return .setExtended(
                path: existing(), name: attribute(), length: random.below(200), seed: random.next(),
                flags: Int32([0, 0, 0, 1, 2][random.below(5)]))
        case 15: return .extended(path: existing(), name: attribute())
        case 16: return .removeExtended(path: existing(), name: attribute())
        case 17: return .listExtended(path: existing())
        case 18: return .makeFIFO(path: fresh(), mode: mode())
        case 19: return .list(path: existing())
        case 20: return .synchronizeDirectory(path: existing())
        case 21: return .statistics
        // Not to nothing: see MemoryNode, a FUSE file system takes it for O_TRUNC.
        default: return .truncatePath(path: existing(), size: offset() + 1)
        }
    }

    private mutating func attribute() -> String {
        Self.attributes[random.below(isRoot ? Self.attributes.count : Self.attributes.count - 1)]
    }
}
