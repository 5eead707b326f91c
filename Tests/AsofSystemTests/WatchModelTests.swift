import AsofCore
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

/// Random work in a tree, and after each batch the question that matters: is there a name that changed and is not dirty?
@Suite("Watching random work")
struct WatchModelTests {
    /// `ASOF_WATCH_SEEDS` of them where that is set.
    static let seeds = 0..<(getenv("ASOF_WATCH_SEEDS").flatMap { UInt64(String(cString: $0)) } ?? 40)

    @Test(arguments: WatchVariant.allCases, seeds)
    func `every name that changed is dirty`(kind: WatchVariant, seed: UInt64) throws {
        let tree = try WatchedTree(kind)
        var client = try WatchClient(tree)
        let work = Lock(RandomWork(seed: seed, root: tree.temporary.path))
        for batch in 0..<12 {
            var dirty = Dirty()
            let steps = work.withLock { 1 + $0.random.below(40) }
            if seed % 2 == 0 {
                for _ in 0..<steps {
                    let drainsNow = work.withLock { work in
                        work.step()
                        return work.random.chance(5)
                    }
                    if drainsNow { tree.watch.drain(into: &dirty) }
                }
            } else {
                // The work goes on while the watch is drained.
                let isDone = Lock(false)
                let worker = try NamedThread("worker") {
                    work.withLock { work in for _ in 0..<steps { work.step() } }
                    isDone.withLock { $0 = true }
                }
                while !isDone.withLock({ $0 }) { tree.watch.drain(into: &dirty) }
                worker.join()
            }
            tree.watch.drain(into: &dirty)
            let misses = try client.catchUp(dirty, linked: work.withLock { $0.linked })
            #expect(misses.isEmpty, "\(kind), seed \(seed), batch \(batch): \(misses)")
        }
        #expect(client.changeCount > 5)
    }
}

/// What the model compares of a file.
private struct Seen: Hashable {
    var inode: UInt64
    var size: UInt64
    var modified: Instant
    var mode: UInt32
    var handle: StableHandle?

    init(_ status: FileStatus, _ handle: StableHandle?) {
        (inode, size, modified, mode) = (status.inode, status.attributes.size, status.attributes.modified, status.attributes.mode)
        self.handle = handle
    }
}

/// A client as the follower is one: registers directories as they appear, lists them afterwards.
private struct WatchClient {
    typealias Listing = [StableHandle: [Name: Seen]]

    let tree: WatchedTree
    private var tokens: [StableHandle: WatchToken] = [:]
    private var before: Listing = [:]
    private(set) var changeCount = 0

    init(_ tree: WatchedTree) throws {
        self.tree = tree
        _ = try register(tree.temporary.path)
        before = try list()
    }

    private mutating func register(_ path: String) throws -> StableHandle {
        let directory = try SystemCall.open(path, SystemCall.O_PATH | O_DIRECTORY | O_NOFOLLOW)
        let handle = try StableHandle(of: directory.raw)
        if tokens[handle] == nil {
            let token = tree.newToken()
            try tree.watch.add(directory.raw, token: token)
            tokens[handle] = token
        }
        return handle
    }

    /// Everything below the root, keyed by the identity of the directory, not by its path: directories wander.
    private func list() throws -> Listing {
        var listing: Listing = [:]
        var files: Set<StableHandle> = []
        var waiting = [tree.temporary.path]
        while let path = waiting.popLast() {
            let directory = try SystemCall.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            let reader = DirectoryReader(SharedDescriptor(try SystemCall.duplicate(directory.raw)))
            var entries: [Name: Seen] = [:]
            while let entry = try reader.next() {
                let file = try SystemCall.open(at: directory.raw, entry.name, SystemCall.O_PATH | O_NOFOLLOW)
                let handle = try StableHandle(of: file.raw)
                entries[entry.name] = Seen(try SystemCall.status(file.raw), handle)
                if entry.kind == .directory { waiting.append(path + "/" + entry.name.description) } else { files.insert(handle) }
            }
            listing[try StableHandle(of: directory.raw)] = entries
        }
        let known = files
        tree.knownFiles.withLock { $0 = known }
        return listing
    }

    /// Compares the tree with the last listing, says what changed without being dirty, and registers what is new.
    mutating func catchUp(_ dirty: Dirty, linked: Set<UInt64>) throws -> [String] {
        let after = try list()
        var misses: [String] = []
        // What the dirty names mean, now or then: the identities whose other names are covered by them.
        var identities = dirty.files
        for (directory, token) in tokens {
            for name in dirty[token].map({ $0.names.union($0.touched) }) ?? [] {
                for seen in [before[directory]?[name], after[directory]?[name]] { if let handle = seen?.handle { identities.insert(handle) } }
            }
        }
        for (directory, old) in before {
            // A directory that is gone is a changed name in its parent, which is compared itself.
            guard let new = after[directory], let token = tokens[directory] else { continue }
            for name in Set(old.keys).union(new.keys) where old[name] != new[name] {
                changeCount += 1
                // Only `names` are looked up again: what a name means anew must be among them.
                let isTouched = old[name]?.handle == new[name]?.handle && dirty[token]?.touched.contains(name) == true
                if isTouched || dirty[token]?.names.contains(name) == true || dirty[token]?.isGone == true { continue }
                if isCovered(old[name], new[name], dirty, identities) { continue }
                // inotify knows no identities: see `InotifyWatch`.
                if tree.kind == .inotify, let inode = new[name]?.inode, linked.contains(inode) { continue }
                misses.append("\(name) in \(token): \(String(describing: old[name])) -> \(String(describing: new[name]))")
            }
        }
        if dirty.hasOverflowed { misses.append("overflow") }
        for (directory, token) in tokens where after[directory] == nil {
            tree.watch.remove(token)
            tokens[directory] = nil
        }
        try registerAll(below: tree.temporary.path)
        // Listed after adding: what was done to a new directory before is in here.
        before = try list()
        return misses
    }

    /// The same file, whose change another name or its identity tells; or the same directory, which tells itself.
    private func isCovered(_ old: Seen?, _ new: Seen?, _ dirty: Dirty, _ identities: Set<StableHandle>) -> Bool {
        guard let old, let new, old.handle == new.handle, let handle = new.handle else { return false }
        if let token = tokens[handle], dirty[token] != nil { return true }
        return identities.contains(handle)
    }

    private mutating func registerAll(below path: String) throws {
        _ = try register(path)
        let reader = try DirectoryReader(path)
        while let entry = try reader.next() {
            if entry.kind == .directory { try registerAll(below: path + "/" + entry.name.description) }
        }
    }
}

/// What programs do in a directory tree, at random; whatever is not possible at the moment simply fails.
private struct RandomWork {
    var random: SplitMix64
    /// Inodes that ever had a second name.
    private(set) var linked: Set<UInt64> = []
    private let root: String
    private var held: [SharedDescriptor] = []

    init(seed: UInt64, root: String) {
        random = SplitMix64(seed: seed)
        self.root = root
    }

    /// One of few names, so that they collide.
    private mutating func folder() -> String {
        var path = root
        for _ in 0..<random.below(3) { path += "/d\(random.below(4))" }
        return path
    }

    private mutating func file() -> String { folder() + "/f\(random.below(6))" }
    private mutating func anything() -> String { random.chance(70) ? file() : folder() + "/d\(random.below(4))" }

    mutating func step() { try? attempt() }

    private mutating func attempt() throws {
        switch random.below(20) {
        case 0, 1, 2:
            let file = try SystemCall.open(file(), O_WRONLY | O_CREAT, mode: 0o600)
            try SystemCall.writeFully(file.raw, at: UInt64(random.below(300)), random.bytes(1 + random.below(100)))
        case 3:
            let file = try SystemCall.open(file(), O_WRONLY | O_APPEND)
            try SystemCall.writeFully(file.raw, random.bytes(1 + random.below(100)))
        case 4:
            let file = try SystemCall.open(file(), O_WRONLY)
            _ = ftruncate(file.raw, off_t(random.below(500)))
        case 5: try SystemCall.changeMode(at: AT_FDCWD, anything(), random.chance(50) ? 0o700 : 0o755)
        case 6:
            let file = try SystemCall.open(anything(), SystemCall.O_PATH)
            try SystemCall.setTimes(file.raw, accessed: .unchanged, modified: .instant(Instant(seconds: Int64(random.below(99)), nanoseconds: 0)))
        case 7, 8, 9: try SystemCall.rename(at: AT_FDCWD, anything(), to: AT_FDCWD, anything())
        case 10: try SystemCall.rename(at: AT_FDCWD, anything(), to: AT_FDCWD, anything(), flags: .exchange)
        case 11:
            let (from, to) = (file(), file())
            try SystemCall.link(at: AT_FDCWD, from, to: AT_FDCWD, to)
            linked.insert(try SystemCall.status(to).inode)
        case 12, 13: try SystemCall.unlink(file())
        case 14, 15: try SystemCall.makeDirectory(folder() + "/d\(random.below(4))", mode: 0o700)
        case 16: try removeTree(folder() + "/d\(random.below(4))")
        case 17: try SystemCall.symbolicLink(target: "f\(random.below(9))", at: AT_FDCWD, file())
        case 18:
            let file = try SystemCall.open(file(), O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
            if held.count > 5 { held.remove(at: random.below(held.count)) }
            held.append(SharedDescriptor(file))
        default:
            // Through a descriptor whose name may have moved or gone.
            guard let file = random.pick(held) else { return }
            try file.withRaw { (raw) throws(Errno) in try SystemCall.writeFully(raw, at: UInt64(random.below(300)), [1, 2, 3]) }
        }
    }

    private func removeTree(_ path: String) throws {
        guard path != root else { return }
        let reader = try DirectoryReader(path)
        while let entry = try reader.next() {
            let child = path + "/" + entry.name.description
            if entry.kind == .directory { try removeTree(child) } else { try SystemCall.unlink(child) }
        }
        try SystemCall.removeDirectory(path)
    }
}
