import AsofCore
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

/// Many events at once.
@Suite("Watching under load", .serialized)
struct WatchBurstTests {
    @Test(arguments: WatchVariant.allCases)
    func `100,000 writes over 400 files are 400 names`(kind: WatchVariant) throws {
        let tree = try WatchedTree(kind)
        let token = try tree.add()
        var files: [SharedDescriptor] = []
        for number in 0..<400 {
            files.append(SharedDescriptor(try SystemCall.open(tree.path("f\(number)"), O_WRONLY | O_CREAT, mode: 0o600)))
        }
        tree.settle()
        let byte: [UInt8] = [1]
        for round in 0..<250 {
            for file in files { try file.withRaw { (raw) throws(Errno) in try SystemCall.writeFully(raw, at: UInt64(round), byte) } }
            // Less than the queue holds between two pauses, so that only a thread that does not read can lose something.
            if round % 10 == 9 { usleep(3000) }
        }
        let dirty = tree.drain()
        #expect(!dirty.hasOverflowed)
        #expect(dirty[token]?.touched.count == 400)
        #expect(dirty.directories.count == 1)
        if kind.isFanotify {
            #expect(dirty.files.count == 400)
            // Merged by the kernel; other programs write to this file system too.
            #expect(dirty.eventCount < 50_000)
        }
        print("\(kind): 100,000 writes over 400 files were \(dirty.eventCount) events")
    }

    @Test func `inotify: a queue that runs over is reported, and watching goes on`() throws {
        let tree = try WatchedTree(.inotify)
        guard let watch = tree.watch as? InotifyWatch else { return }
        let limit = try #require(WatchFailure.inotifyLimit("max_queued_events"))
        guard limit <= 100_000 else { try Test.cancel("SKIPPED: the queue holds \(limit) events") }
        let token = try tree.add()
        let files = try ["a", "b"].map { SharedDescriptor(try SystemCall.open(tree.path($0), O_WRONLY | O_CREAT, mode: 0o600)) }
        watch.pauseReading(true)
        tree.settle()
        for number in 0..<(limit + 1000) {
            // By turns, or the kernel would merge them.
            try files[number & 1].withRaw { (raw) throws(Errno) in try SystemCall.writeFully(raw, at: 0, [1]) }
        }
        try tree.write("lost")
        let dirty = tree.drain()
        #expect(dirty.hasOverflowed)
        #expect(dirty.names(token) == ["a", "b"])
        #expect(tree.watch.status.overflowCount == 1)
        try tree.write("found")
        #expect(tree.drain().names(token) == ["found"])
        // As many again, read in time.
        watch.pauseReading(false)
        for number in 0..<(limit + 1000) {
            try files[number & 1].withRaw { (raw) throws(Errno) in try SystemCall.writeFully(raw, at: 0, [1]) }
            if number % 4000 == 3999 { usleep(3000) }
        }
        #expect(!tree.drain().hasOverflowed)
    }

    @Test(arguments: WatchVariant.allCases)
    func `drains beside a busy writer lose nothing between them`(kind: WatchVariant) throws {
        let tree = try WatchedTree(kind)
        let token = try tree.add()
        let isDone = Lock(false)
        let path = tree.temporary.path
        let count = 4000
        let writer = try NamedThread("writer") {
            for number in 0..<count {
                _ = try? SystemCall.open(path + "/f\(number)", O_WRONLY | O_CREAT, mode: 0o600)
                if number % 50 == 49 { usleep(500) }
            }
            isDone.withLock { $0 = true }
        }
        var drains = 0
        var names: Set<Name> = []
        var hasOverflowed = false
        while true {
            let isLast = isDone.withLock { $0 }
            let dirty = tree.drain()
            names.formUnion(dirty[token].map { $0.names.union($0.touched) } ?? [])
            hasOverflowed = hasOverflowed || dirty.hasOverflowed
            drains += 1
            if isLast { break }
        }
        writer.join()
        #expect(!hasOverflowed)
        #expect(names.count == count)
        #expect(drains > 1)
    }

    @Test(arguments: WatchVariant.allCases)
    func `many directories are added, heard and let go`(kind: WatchVariant) throws {
        let tree = try WatchedTree(kind)
        let tokens = try (0..<2000).map { try tree.makeFolder("d\($0)") }
        #expect(tree.watch.status.directories == 2000)
        for number in stride(from: 0, to: 2000, by: 7) { try tree.write("d\(number)/x") }
        let dirty = tree.drain()
        #expect(Set(dirty.directories.keys) == Set(stride(from: 0, to: 2000, by: 7).map { tokens[$0] }))
        for token in tokens { tree.watch.remove(token) }
        for number in 0..<2000 { try tree.write("d\(number)/y") }
        #expect(tree.drain().isEmpty)
        #expect(tree.watch.status.directories == 0)
    }
}
