import AsofCore
import AsofStore
import AsofSystem
import Testing

@Suite("Decorators of stores")
struct DecoratorTests {
    @Test func `only unavailable is tried again, with growing waits, up to the limit`() throws {
        let faulty = FaultyStore(MemoryStore())
        let waits = Lock<[Duration]>([])
        let store = RetryingStore(
            faulty, attempts: 5, backoff: .milliseconds(100), longest: .milliseconds(300),
            sleep: { wait in waits.withLock { $0.append(wait) } })
        faulty.fail(.put, times: 4)
        try store.put("a", [1])
        #expect(waits.withLock { $0 } == [.milliseconds(100), .milliseconds(200), .milliseconds(300), .milliseconds(300)])
        faulty.fail(.get, times: 5)
        do throws(AsofError) {
            _ = try store.get("a")
            Issue.record("five failures in a row are too many")
        } catch {
            #expect(error.code == .unavailable)
            #expect(error.message == "injected failure (tried 5 times)")
        }
        #expect(try store.get("a")?.bytes == [1])
        for code in [AsofError.Code.failure, .damaged, .locked] {
            faulty.resetCounts()
            faulty.fail(.list, with: AsofError(code, "no"))
            #expect(throws: AsofError.self) { _ = try store.list(prefix: "") }
            #expect(faulty.counts[.list] == 1)
        }
    }

    @Test func `a conditional put whose answer was lost counts as ours`() throws {
        let faulty = FaultyStore(MemoryStore())
        let store = RetryingStore(faulty, sleep: { _ in })
        faulty.fail(.putIfAbsent, .after)
        #expect(try store.putIfAbsent("lease.json", [1]))
        #expect(try !store.putIfAbsent("lease.json", [2]))
        let version = try #require(try store.get("lease.json")).version
        faulty.fail(.putIfUnchanged, .after)
        let new = try #require(try store.put("lease.json", [3], ifUnchanged: version))
        #expect(try store.put("lease.json", [4], ifUnchanged: new) != nil)
        // Nothing happened, and somebody else was faster: not ours.
        faulty.fail(.putIfUnchanged, .before)
        #expect(try store.put("lease.json", [5], ifUnchanged: version) == nil)
        #expect(try store.get("lease.json")?.bytes == [4])
    }

    @Test func `faults come when they were ordered, before or after the effect`() throws {
        let base = MemoryStore()
        let store = FaultyStore(base)
        store.fail(.put, .before, times: 1, skipping: 1)
        try store.put("a", [1])
        #expect(throws: AsofError.self) { try store.put("b", [1]) }
        #expect(try base.get("b") == nil)
        store.fail(nil, .after)
        #expect(throws: AsofError.self) { try store.put("b", [1]) }
        #expect(try base.get("b")?.bytes == [1])
        store.fail(.delete, times: .max)
        #expect(throws: AsofError.self) { try store.delete("a") }
        store.heal()
        try store.delete("a")
    }

    @Test func `calls and bytes are counted by kind`() throws {
        let store = FaultyStore(MemoryStore())
        try store.put("a", [1, 2, 3])
        _ = try store.get("a")
        var two: (UInt8, UInt8) = (0, 0)
        try withUnsafeMutableBytes(of: &two) { try store.get("a", at: 1, into: $0) }
        #expect(two == (2, 3))
        let counts = store.counts
        #expect((counts[.put], counts[.get], counts[.getRange], counts.total) == (1, 1, 1, 3))
        #expect((counts.bytesRead, counts.bytesWritten) == (5, 3))
        store.resetCounts()
        #expect(store.counts.total == 0)
    }

    @Test(arguments: [1, 42] as [UInt64])
    func `the same seed gives the same faults, about as many as asked for`(seed: UInt64) {
        func failures() -> [Int] {
            let store = FaultyStore(MemoryStore(), seed: seed, rate: 0.2)
            return (0..<1000).filter { _ in (try? store.put("a", [1])) == nil }
        }
        let first = failures()
        #expect(first == failures(), "seed \(seed)")
        #expect((120...280).contains(first.count), "seed \(seed): \(first.count)")
    }

    @Test func `latency makes calls slow`() {
        let store = FaultyStore(MemoryStore())
        store.setLatency(.milliseconds(20))
        #expect(ContinuousClock().measure { _ = try? store.get("a") } >= .milliseconds(20))
    }
}

@Suite("Store locations")
struct StoreLocationTests {
    @Test(arguments: [
        ("/backups/weaviate", "/backups/weaviate"),
        ("/backups//./weaviate/", "/backups/weaviate"),
        ("/", "/"),
        ("relative/repo", "/cwd/relative/repo"),
        ("./relative", "/cwd/relative"),
        ("../up", "/cwd/../up"),
        ("file:///a/b%20c/%C3%A4", "/a/b c/ä"),
        ("FILE://localhost/a", "/a"),
        ("a:b", "/cwd/a:b"),
        // Not a scheme: starts with a digit.
        ("1x://y", "/cwd/1x:/y"),
        ("./s3://bucket", "/cwd/s3:/bucket"),
    ])
    func `paths and file URLs`(text: String, path: String) throws {
        #expect(try StoreLocation(parsing: text, currentDirectory: "/cwd") == .directory(path))
    }

    @Test(arguments: [
        "", "a\0b", "s3://bucket/prefix", "gs://bucket", "azure://x/y", "S3://b", "ftp://host/x",
        "file://", "file://host/x", "file://relative", "file:///a%", "file:///a%2",
        "file:///a%zz", "file:///a%00b", "file:///a%FF", "file:///a?b", "file:///a#b",
    ])
    func `what cannot be a location is refused with a hint`(text: String) {
        do throws(AsofError) {
            _ = try StoreLocation(parsing: text, currentDirectory: "/cwd")
            Issue.record("\(text) should have been refused")
        } catch {
            #expect(error.code == .usage, "\(text)")
        }
    }

    @Test func `a relative path is relative to where the process is`() throws {
        let here = try SystemCall.realPath(".")
        #expect(try StoreLocation(parsing: "x").description == (here == "/" ? "/x" : here + "/x"))
    }
}
