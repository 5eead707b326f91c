import AsofCore
import AsofStore
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

@Suite("Directory store")
struct DirectoryStoreTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory("store") }

    private func newStore(openDescriptors: Int = 128) throws -> DirectoryStore {
        try DirectoryStore(directory.path("repo"), access: .creating, openDescriptors: openDescriptors)
    }

    @Test func `objects are files under their names, and nothing is left in the temporary folder`() throws {
        let store = try newStore()
        try store.put("timelines/main/head.json", [1])
        try store.put("packs/p", [2])
        #expect(try !store.putIfAbsent("packs/p", [3]))
        #expect(try directory.read("repo/timelines/main/head.json") == [1])
        #expect(try directory.names(in: "repo") == [".lock", ".tmp", "packs", "timelines"])
        #expect(try directory.names(in: "repo/.tmp") == [])
    }

    @Test func `what is missing is said, what is no directory too`() throws {
        func failure(_ path: String, _ access: DirectoryStore.Access) -> AsofError? {
            do throws(AsofError) {
                _ = try DirectoryStore(directory.path(path), access: access)
                return nil
            } catch {
                return error
            }
        }
        try directory.write("file", [])
        #expect(failure("none", .reading)?.code == .noRepository)
        #expect(failure("none", .writing)?.code == .noRepository)
        #expect(failure("file", .reading)?.code == .failure)
        #expect(failure("file/x", .creating)?.code == .failure)
        #expect(failure("made/below", .creating) == nil)
        #expect(failure("made/below", .reading) == nil)
    }

    @Test func `a store for reading changes nothing`() throws {
        let writer = try newStore()
        try writer.put("a", [1])
        let before = try directory.names(in: "repo")
        let store = try DirectoryStore(writer.path, access: .reading)
        #expect(try store.get("a")?.bytes == [1])
        #expect(throws: AsofError.self) { try store.put("b", [1]) }
        #expect(throws: AsofError.self) { _ = try store.putIfAbsent("b", [1]) }
        #expect(throws: AsofError.self) { try store.delete("a") }
        #expect(throws: AsofError.self) { _ = try store.put("a", [1], ifUnchanged: ObjectVersion(token: "")) }
        #expect(try directory.names(in: "repo") == before)
    }

    private func owners(_ names: String...) throws -> [[UInt32]] {
        try names.map { name in
            let attributes = try SystemCall.status(directory.path(name)).attributes
            return [attributes.owner, attributes.group]
        }
    }

    /// Who made the repository must be able to read what root put into it.
    @Test(.enabled(if: geteuid() == 0)) func `what root makes belongs to the owner of the store's folder`() throws {
        try SystemCall.makeDirectory(directory.path("repo"), mode: 0o755)
        #expect(chown(directory.path("repo"), 65534, 65533) == 0)
        let store = try newStore()
        _ = try store.putIfAbsent("asof.json", [1])
        try store.put("timelines/main/segments/1", [2])
        let version = try #require(try store.get("asof.json")?.version)
        #expect(try store.put("asof.json", [3], ifUnchanged: version) != nil)
        let made = try owners("repo/asof.json", "repo/timelines", "repo/timelines/main/segments", "repo/timelines/main/segments/1", "repo/.tmp", "repo/.lock")
        #expect(made == Array(repeating: [65534, 65533], count: 6))
        // And nothing is left of that: this process is root as before.
        try directory.write("own", [])
        #expect(try owners("own") == [[0, 0]])
    }

    /// A user whose folders lead elsewhere gets nothing there.
    @Test(.enabled(if: geteuid() == 0)) func `root gives nothing away in a folder of its own`() throws {
        for name in ["repo", "elsewhere"] { try SystemCall.makeDirectory(directory.path(name), mode: 0o755) }
        #expect(chown(directory.path("repo"), 65534, 65534) == 0)
        #expect(symlink(directory.path("elsewhere"), directory.path("repo/timelines")) == 0)
        let store = try newStore()
        try store.put("timelines/x", [1])
        try store.put("timelines/folder/y", [1])
        #expect(try owners("elsewhere", "elsewhere/x", "elsewhere/folder", "elsewhere/folder/y") == Array(repeating: [0, 0], count: 4))
    }

    @Test func `leftovers of a day are removed, younger ones and folders stay`() throws {
        let store = try newStore()
        try store.put("a", [1])
        for name in ["old", "young"] { try directory.write("repo/.tmp/" + name, [1]) }
        try SystemCall.makeDirectory(directory.path("repo/.tmp/folder"), mode: 0o700)
        let yesterday = SystemClock.now().advanced(byNanoseconds: -25 * 3600 * 1_000_000_000)
        for name in ["old", "folder"] {
            let file = try SystemCall.open(directory.path("repo/.tmp/" + name), O_RDONLY)
            try SystemCall.setTimes(file.raw, accessed: .unchanged, modified: .instant(yesterday))
        }
        _ = try DirectoryStore(store.path, access: .reading)
        #expect(try directory.names(in: "repo/.tmp") == ["folder", "old", "young"])
        _ = try DirectoryStore(store.path, access: .writing)
        #expect(try directory.names(in: "repo/.tmp") == ["folder", "young"])
    }

    @Test func `open descriptors are bounded, and only immutable objects keep one`() throws {
        let store = try newStore(openDescriptors: 3)
        for number in 0..<10 {
            try store.put("p\(number)", [UInt8(number)])
            try store.put("h\(number).json", [UInt8(number)])
        }
        for round in 0..<2 {
            for number in 0..<10 {
                for name in ["p\(number)", "h\(number).json"] {
                    var byte: UInt8 = 99
                    try withUnsafeMutableBytes(of: &byte) { try store.get(name, at: 0, into: $0) }
                    #expect(byte == UInt8(number), "round \(round)")
                    #expect(store.cachedDescriptors <= 3)
                }
            }
        }
        #expect(store.cachedDescriptors == 3)
    }

    @Test func `another process's replacement of a head is seen at once`() throws {
        let store = try newStore()
        let other = try DirectoryStore(store.path, access: .writing)
        try store.put("head.json", [1])
        let version = try #require(try store.get("head.json")).version
        try other.put("head.json", [2])
        var byte: UInt8 = 0
        try withUnsafeMutableBytes(of: &byte) { try store.get("head.json", at: 0, into: $0) }
        #expect(byte == 2)
        #expect(try store.put("head.json", [3], ifUnchanged: version) == nil)
    }

    @Test func `a version survives reopening the store`() throws {
        let store = try newStore()
        try store.put("head.json", [1])
        let version = try #require(try store.get("head.json")).version
        let other = try DirectoryStore(store.path, access: .writing)
        #expect(try other.put("head.json", [2], ifUnchanged: version) != nil)
    }

    @Test func `pipes, links in circles and foreign names in the directory do no harm`() throws {
        let store = try newStore()
        try store.put("a/b", [1])
        let folder = try SystemCall.open(directory.path("repo"), O_RDONLY | O_DIRECTORY)
        try SystemCall.makeNode(at: folder.raw, "pipe", mode: 0o010600, device: 0)
        try SystemCall.symbolicLink(target: ".", at: folder.raw, "loop1")
        try SystemCall.symbolicLink(target: ".", at: folder.raw, "loop2")
        try SystemCall.makeNode(at: folder.raw, [0xFF, 0xFE] as [UInt8], mode: 0o100600, device: 0)
        try SystemCall.makeNode(at: folder.raw, "with space", mode: 0o100600, device: 0)
        #expect(try store.get("pipe") == nil)
        #expect(try store.list(prefix: "").map(\.name) == ["a/b"])
    }

    @Test func `the store goes on when its directory is renamed under it`() throws {
        let store = try newStore()
        try store.put("a", [1])
        try SystemCall.rename(at: AT_FDCWD, store.path, to: AT_FDCWD, directory.path("moved"))
        try store.put("b/c", [2])
        #expect(try directory.read("moved/b/c") == [2])
    }

    @Test(arguments: [
        ("store.put.before", nil as UInt8?), ("store.put.written", nil), ("store.put.renamed", 7),
    ])
    func `a crash during a put leaves no object or the whole one`(point: String, content: UInt8?) async throws {
        let store = try newStore()
        let path = store.path
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, point = point as String] in
            CrashPoint.arm(point)
            try DirectoryStore(path, access: .writing).put("a/b", [7])
        }
        #expect(try store.get("a/b")?.bytes.first == content)
        try store.put("a/b", [8])
        #expect(try store.get("a/b")?.bytes == [8])
        #expect(try directory.names(in: "repo/a") == ["b"])
    }

    @Test(arguments: [
        ("store.cas.before", 1 as UInt8), ("store.put.written", 1), ("store.put.renamed", 2), ("store.cas.after", 2),
    ])
    func `a crash during compare-and-swap leaves the old object or the new, and no lock`(
        point: String, content: UInt8
    ) async throws {
        let store = try newStore()
        try store.put("head.json", [1])
        let path = store.path
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, point = point as String] in
            let store = try DirectoryStore(path, access: .writing)
            guard let version = try store.get("head.json")?.version else { exit(1) }
            CrashPoint.arm(point)
            _ = try store.put("head.json", [2], ifUnchanged: version)
        }
        let now = try #require(try store.get("head.json"))
        #expect(now.bytes == [content])
        #expect(try store.put("head.json", [3], ifUnchanged: now.version) != nil)
    }
}

/// Needs a small tmpfs, so root.
@Suite("Directory store on a full disk", .serialized)
struct FullDiskTests {
    @Test(.enabled(if: getuid() == 0, "mounting a small tmpfs needs root: a full disk is NOT tested"))
    func `a full disk is unavailable, says so, and leaves the old object and no rubbish`() throws {
        let directory = try TemporaryDirectory("full")
        let mountPoint = directory.path("disk")
        try SystemCall.makeDirectory(mountPoint, mode: 0o700)
        guard mount("tmpfs", mountPoint, "tmpfs", 0, "size=1m") == 0 else {
            Issue.record("no tmpfs could be mounted (errno \(errno)): a full disk is NOT tested", severity: .warning)
            return
        }
        defer { umount2(mountPoint, Int32(MNT_DETACH)) }
        let store = try DirectoryStore(mountPoint + "/repo", access: .creating)
        try store.put("head.json", [1])
        let version = try #require(try store.get("head.json")).version
        let large = [UInt8](repeating: 1, count: 2 << 20)
        try directory.write("large", large)
        let file = try SystemCall.open(directory.path("large"), O_RDONLY)
        let calls: [(String, () throws(AsofError) -> Void)] = [
            ("put", { () throws(AsofError) in try store.put("head.json", large) }),
            ("file", { () throws(AsofError) in try store.put("packs/p", fromDescriptor: file.raw) }),
            ("absent", { () throws(AsofError) in _ = try store.putIfAbsent("packs/p", large) }),
            ("swap", { () throws(AsofError) in _ = try store.put("head.json", large, ifUnchanged: version) }),
        ]
        for (call, body) in calls {
            do throws(AsofError) {
                try body()
                Issue.record("\(call) should have failed")
            } catch {
                #expect(error.code == .unavailable, "\(call)")
                #expect(error.message.contains(mountPoint) && error.message.contains("No space left on device"), "\(call)")
                #expect(error.hint?.contains("free space") == true, "\(call)")
            }
        }
        #expect(try store.get("head.json")?.bytes == [1])
        #expect(try directory.names(in: "disk/repo/.tmp") == [])
        #expect(try store.put("head.json", [2], ifUnchanged: version) != nil)
    }
}
