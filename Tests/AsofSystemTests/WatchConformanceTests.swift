import AsofCore
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

/// What every way of watching must see. One test is one thing that programs do with files.
@Suite("Watching, whichever way")
struct WatchConformanceTests {
    @Test(arguments: WatchVariant.allCases)
    func `nothing happens, nothing is dirty`(kind: WatchVariant) throws {
        let tree = try WatchedTree(kind)
        _ = try tree.add()
        try tree.write("a")
        tree.settle()
        _ = try tree.temporary.read("a")
        _ = try tree.temporary.names()
        #expect(tree.drain().isEmpty)
        #expect(tree.watch.status.directories == 1)
        #expect(tree.watch.status.kind == kind.kind)
    }

    @Test(arguments: WatchVariant.allCases)
    func `content by every way of writing`(kind: WatchVariant) throws {
        let tree = try WatchedTree(kind)
        let token = try tree.add()
        try tree.write("created")
        #expect(tree.drain().names(token) == ["created"])

        let file = try SystemCall.open(tree.path("created"), O_RDWR)
        tree.settle()
        try SystemCall.writeFully(file.raw, at: 4, [1, 2])
        #expect(tree.drain().names(token) == ["created"])
        try SystemCall.writeFully(file.raw, at: 0, [1])
        #expect(tree.drain().names(token) == ["created"])
        #expect(ftruncate(file.raw, 1) == 0)
        #expect(tree.drain().names(token) == ["created"])
        _ = try SystemCall.open(tree.path("created"), O_WRONLY | O_TRUNC)
        #expect(tree.drain().names(token) == ["created"])
        #expect(posix_fallocate(file.raw, 0, 8192) == 0)
        #expect(tree.drain().names(token) == ["created"])
        let source = try SystemCall.open("/proc/self/exe", O_RDONLY)
        var offset: off_t = 0
        #expect(sendfile(file.raw, source.raw, &offset, 4096) == 4096)
        #expect(tree.drain().names(token) == ["created"])
    }

    @Test(arguments: WatchVariant.allCases)
    func `attributes of files and directories`(kind: WatchVariant) throws {
        let tree = try WatchedTree(kind)
        let (top, folder) = (try tree.add(), try tree.makeFolder("d"))
        try tree.write("f")
        tree.settle()
        try SystemCall.changeMode(at: tree.root.raw, "f", 0o640)
        #expect(tree.drain().names(top) == ["f"])
        do {
            let file = try SystemCall.open(tree.path("f"), SystemCall.O_PATH)
            try SystemCall.setTimes(file.raw, accessed: .unchanged, modified: .instant(Instant(seconds: 1, nanoseconds: 0)))
        }
        #expect(tree.drain().names(top) == ["f"])
        try SystemCall.changeMode(at: tree.root.raw, "d", 0o750)
        #expect(tree.drain()[folder]?.isSelfChanged == true)
        try SystemCall.changeMode(tree.root.raw, 0o750)
        #expect(tree.drain()[top]?.isSelfChanged == true)
    }

    @Test(arguments: WatchVariant.allCases)
    func `names made and removed`(kind: WatchVariant) throws {
        let tree = try WatchedTree(kind)
        let token = try tree.add()
        let folder = try tree.makeFolder("d")
        try tree.write("f")
        tree.settle()
        try SystemCall.link(at: tree.root.raw, "f", to: tree.root.raw, "d/second")
        #expect(tree.drain().names(folder) == ["second"])
        try SystemCall.symbolicLink(target: "f", at: tree.root.raw, "l")
        #expect(tree.drain().names(token) == ["l"])
        try SystemCall.makeNode(at: tree.root.raw, "p", mode: 0o010600, device: 0)
        #expect(tree.drain().names(token) == ["p"])
        try SystemCall.unlink(at: tree.root.raw, "f")
        #expect(tree.drain().names(token).contains("f"))
        try SystemCall.makeNode(at: tree.root.raw, [0xFF, 0x0A] as [UInt8], mode: 0o100600, device: 0)
        #expect(tree.drain()[token]?.names.map(\.bytes) == [[0xFF, 0x0A]])
        let long = String(repeating: "n", count: 255)
        try tree.write(long)
        #expect(tree.drain().names(token) == [long])
        let file = try SystemCall.open(tree.path(long), SystemCall.O_PATH)
        try SystemCall.link(descriptor: file.raw, to: tree.root.raw, "nameless")
        #expect(tree.drain().names(token).contains("nameless"))
    }

    @Test(arguments: WatchVariant.allCases)
    func `renames say both names`(kind: WatchVariant) throws {
        let tree = try WatchedTree(kind)
        let (top, a, b) = (try tree.add(), try tree.makeFolder("a"), try tree.makeFolder("b"))
        let inner = try tree.makeFolder("a/inner")
        for name in ["one", "two", "a/three", "a/inner/four"] { try tree.write(name) }
        tree.settle()
        // Within a directory.
        try tree.rename("one", "uno")
        #expect(tree.drain().names(top) == ["one", "uno"])
        // Into another.
        try tree.rename("a/three", "b/tres")
        var dirty = tree.drain()
        #expect(dirty.names(a) == ["three"])
        #expect(dirty.names(b) == ["tres"])
        // Over a name that exists.
        try tree.rename("uno", "two")
        #expect(tree.drain().names(top) == ["two", "uno"])
        // A directory with children stays watched wherever it goes.
        try tree.rename("a/inner", "b/inside")
        dirty = tree.drain()
        #expect(dirty.names(a) == ["inner"])
        #expect(dirty.names(b) == ["inside"])
        #expect(dirty[inner]?.isSelfChanged == true)
        #expect(dirty[inner]?.isGone != true)
        try tree.write("b/inside/four", "more")
        #expect(tree.drain().names(inner) == ["four"])
        // Exchange, of a file and a directory.
        try tree.rename("two", "b/inside", flags: .exchange)
        dirty = tree.drain()
        #expect(dirty.names(top) == ["two"])
        #expect(dirty.names(b) == ["inside"])
        try tree.write("two/five")
        #expect(tree.drain().names(inner) == ["five"])
        // In from outside and out again.
        let outside = try TemporaryDirectory("outside")
        try outside.write("in", [1])
        try SystemCall.rename(at: AT_FDCWD, outside.path("in"), to: tree.root.raw, "in")
        #expect(tree.drain().names(top) == ["in"])
        try SystemCall.rename(at: tree.root.raw, "in", to: AT_FDCWD, outside.path("out"))
        #expect(tree.drain().names(top) == ["in"])
    }

    @Test(arguments: WatchVariant.allCases)
    func `a directory filled before it is added shows in its parent, and after it by itself`(kind: WatchVariant) throws {
        let tree = try WatchedTree(kind)
        let top = try tree.add()
        try SystemCall.makeDirectory(tree.path("new"), mode: 0o700)
        let handle = try tree.handle("new")
        tree.knownDirectories.withLock { _ = $0.insert(handle) }
        try tree.write("new/early")
        let dirty = tree.drain()
        #expect(dirty.names(top) == ["new"])
        if kind.isFanotify { #expect(dirty.unknownDirectories == [handle]) }
        try tree.write("new/between")
        let token = try tree.add("new")
        try tree.write("new/late")
        #expect(tree.drain().names(token).contains("late"))
        #expect(try tree.temporary.names(in: "new") == ["between", "early", "late"])
    }

    @Test(arguments: WatchVariant.allCases)
    func `a tree that is deleted is gone, each directory of it`(kind: WatchVariant) throws {
        let tree = try WatchedTree(kind)
        let top = try tree.add()
        let tokens = try ["d", "d/e", "d/e/f", "d/g"].map { try tree.makeFolder($0) }
        for name in ["d/1", "d/e/2", "d/e/f/3"] { try tree.write(name) }
        tree.settle()
        for name in ["d/1", "d/e/2", "d/e/f/3"] { try SystemCall.unlink(at: tree.root.raw, name) }
        for name in ["d/e/f", "d/e", "d/g", "d"] { try SystemCall.removeDirectory(at: tree.root.raw, name) }
        let dirty = tree.drain()
        #expect(dirty.names(top) == ["d"])
        #expect(tokens.map { dirty[$0]?.isGone } == [true, true, true, true])
        #expect(dirty.names(tokens[0]) == ["1", "e", "g"])
        // The same names again are other directories, of which nobody said anything.
        for token in tokens { tree.watch.remove(token) }
        try SystemCall.makeDirectory(tree.path("d"), mode: 0o700)
        try tree.write("d/1")
        let later = tree.drain()
        #expect(later.names(top) == ["d"])
        #expect(later.directories.count == 1)
        let token = try tree.add("d")
        try tree.write("d/2")
        #expect(tree.drain().names(token) == ["2"])
        #expect(tree.watch.status.directories == 2)
    }

    @Test(arguments: WatchVariant.allCases)
    func `a name that is gone: a write through the descriptor is still told`(kind: WatchVariant) throws {
        let tree = try WatchedTree(kind)
        let token = try tree.add()
        try tree.write("f")
        let file = try SystemCall.open(tree.path("f"), O_RDWR)
        let handle = try tree.handle("f")
        try SystemCall.unlink(at: tree.root.raw, "f")
        tree.settle()
        try SystemCall.writeFully(file.raw, at: 0, [1])
        let dirty = tree.drain()
        if kind.isFanotify { #expect(dirty.files == [handle]) } else { #expect(dirty.names(token) == ["f"]) }
    }

    @Test func `fanotify: a write through a hard link outside the tree is seen by identity`() throws {
        let tree = try WatchedTree(.fanotify)
        let token = try tree.add()
        let outside = try TemporaryDirectory("outside")
        try tree.write("inside")
        try SystemCall.link(at: tree.root.raw, "inside", to: AT_FDCWD, outside.path("other"))
        let handle = try tree.handle("inside")
        tree.knownFiles.withLock { _ = $0.insert(handle) }
        tree.settle()
        try outside.write("other", [1])
        var dirty = tree.drain()
        #expect(dirty.files == [handle])
        #expect(dirty.directories.isEmpty)
        // The name in the tree is not the last, and then the last is not in the tree.
        try SystemCall.unlink(at: tree.root.raw, "inside")
        dirty = tree.drain()
        #expect(dirty.names(token) == ["inside"])
        #expect(dirty.files == [handle])
        try SystemCall.unlink(outside.path("other"))
        #expect(tree.drain().files == [handle])
        try outside.write("stranger", [1])
        #expect(tree.drain().isEmpty)
    }

    @Test(arguments: WatchVariant.allCases)
    func `a write through another watched hard link names that one`(kind: WatchVariant) throws {
        let tree = try WatchedTree(kind)
        let (top, folder) = (try tree.add(), try tree.makeFolder("d"))
        try tree.write("f")
        try SystemCall.link(at: tree.root.raw, "f", to: tree.root.raw, "d/g")
        tree.settle()
        try tree.write("d/g", "changed")
        let dirty = tree.drain()
        #expect(dirty.names(folder) == ["g"])
        #expect(dirty.names(top) == [])
        if kind.isFanotify { #expect(dirty.files == [try tree.handle("f")]) }
    }

    @Test(arguments: WatchVariant.allCases)
    func `removed tokens are silent and tokens can change hands`(kind: WatchVariant) throws {
        let tree = try WatchedTree(kind)
        let first = try tree.makeFolder("a")
        let second = try tree.makeFolder("b")
        tree.watch.remove(first)
        tree.watch.remove(first)
        tree.watch.remove(WatchToken(9))
        tree.settle()
        try tree.write("a/x")
        #expect(tree.drain().isEmpty)
        #expect(tree.watch.status.directories == 1)
        // A new token for the same directory.
        let third = try tree.add("b")
        try tree.write("b/x")
        var dirty = tree.drain()
        #expect(dirty.names(third) == ["x"])
        #expect(dirty[second] == nil)
        #expect(tree.watch.status.directories == 1)
        // The same token for another directory.
        try tree.add("a", token: third)
        tree.settle()
        try tree.write("a/y")
        try tree.write("b/y")
        dirty = tree.drain()
        #expect(dirty.names(third) == ["y"])
        #expect(dirty.directories.count == 1)
        #expect(tree.watch.status.directories == 1)
        // Off and on again.
        tree.watch.remove(third)
        let fourth = try tree.add("a")
        try tree.write("a/z")
        dirty = tree.drain()
        #expect(dirty.names(fourth) == ["z"])
        #expect(dirty[fourth]?.isGone == false)
    }

    @Test(arguments: WatchVariant.allCases)
    func `what is no directory is refused`(kind: WatchVariant) throws {
        let tree = try WatchedTree(kind)
        try tree.write("f")
        let file = SharedDescriptor(try SystemCall.open(tree.path("f"), O_RDONLY))
        #expect(throws: WatchFailure.system(Errno(ENOTDIR))) {
            try file.withRaw { (raw) throws(WatchFailure) in try tree.watch.add(raw, token: WatchToken(1)) }
        }
        #expect(throws: WatchFailure.self) { try tree.watch.add(-1, token: WatchToken(1)) }
        #expect(tree.watch.status.directories == 0)
        let elsewhere = SharedDescriptor(try SystemCall.open("/proc", O_RDONLY))
        if kind.isFanotify {
            #expect(throws: WatchFailure.otherFileSystem) { try tree.watch.add(elsewhere.unmanaged, token: WatchToken(1)) }
        }
    }

    @Test(arguments: WatchVariant.allCases)
    func `a wait ends when something comes and not much before`(kind: WatchVariant) throws {
        let tree = try WatchedTree(kind)
        let token = try tree.add()
        tree.settle()
        if kind == .inotify { #expect(!tree.watch.wait(timeout: .milliseconds(20))) }
        let path = tree.path("f")
        let writer = try NamedThread("writer") { _ = try? SystemCall.open(path, O_WRONLY | O_CREAT, mode: 0o600) }
        // Others' events wake fanotify too.
        let deadline = ContinuousClock.now + .seconds(20)
        var dirty = Dirty()
        while dirty[token] == nil, ContinuousClock.now < deadline {
            _ = tree.watch.wait(timeout: .seconds(1))
            tree.watch.drain(into: &dirty)
        }
        #expect(dirty.names(token) == ["f"])
        writer.join()
    }

    @Test(arguments: WatchVariant.allCases)
    func `a drain adds to what is there`(kind: WatchVariant) throws {
        let tree = try WatchedTree(kind)
        let token = try tree.add()
        var dirty = Dirty()
        for name in ["a", "b", "a"] {
            try tree.write(name)
            tree.watch.drain(into: &dirty)
        }
        #expect(dirty.names(token) == ["a", "b"])
        dirty.removeAll()
        #expect(dirty.isEmpty)
        try tree.write("a")
        tree.watch.drain(into: &dirty)
        #expect(dirty.names(token) == ["a"])
    }

    @Test func `fanotify: an ignored directory is silent, also where all strangers are reported`() throws {
        let tree = try WatchedTree(.fanotify)
        for folder in ["spool", "heard"] { try SystemCall.makeDirectory(tree.path(folder), mode: 0o700) }
        let all = try FanotifyWatch(fileSystemOf: tree.root.raw, unregistered: .init(directories: .all(limit: 1 << 20)))
        let spoolDescriptor = try SystemCall.open(tree.path("spool"), SystemCall.O_PATH)
        let isIgnored = all.ignore(spoolDescriptor.raw)
        let (spool, heard) = (try tree.handle("spool"), try tree.handle("heard"))
        for folder in ["spool", "heard"] { try tree.write(folder + "/x") }
        var dirty = Dirty()
        all.drain(into: &dirty)
        #expect(dirty.unknownDirectories.contains(heard))
        #expect(!isIgnored || !dirty.unknownDirectories.contains(spool))
        // With room for one, the second is not dropped in silence.
        let bounded = try FanotifyWatch(fileSystemOf: tree.root.raw, unregistered: .init(directories: .all(limit: 0)))
        try tree.write("heard/y")
        var overflown = Dirty()
        bounded.drain(into: &overflown)
        #expect(overflown.hasOverflowed)
        #expect(overflown.unknownDirectories.isEmpty)
    }

    @Test func `the best way is said with its reason`() throws {
        let directory = try TemporaryDirectory("best").open()
        let choice = try TreeWatching.best(for: directory.raw)
        #expect(choice.watch.status.kind == choice.kind)
        #expect(choice.reason.hasPrefix(choice.kind.rawValue))
        // No handles in /proc: inotify it is.
        let procDirectory = try SystemCall.open("/proc", O_RDONLY)
        let proc = try TreeWatching.best(for: procDirectory.raw)
        #expect(proc.kind == .inotify)
        #expect(proc.reason.contains("identities"))
    }
}
