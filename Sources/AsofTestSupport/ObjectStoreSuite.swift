internal import AsofCore
package import AsofStore
internal import AsofSystem
internal import Glibc
internal import Testing

/// What every store must do: the contract of `ObjectStore`, checked against any of them.
///
/// Each case gets a new, empty store from `make`. `label` names the store in failures.
package struct ObjectStoreSuite: Sendable {
    package typealias Factory = @Sendable () throws -> any ObjectStore

    package let label: String
    private let mayRepeat: Bool
    private let make: Factory

    /// `mayRepeat`: the store may report a swap that happened as one that did not, once others have swapped over it (a lost
    /// answer).
    package init(_ label: String, mayRepeat: Bool = false, make: @escaping Factory) {
        self.label = label
        self.mayRepeat = mayRepeat
        self.make = make
    }

    /// One part of the contract, by name, so that a test can take them as arguments.
    package enum Case: String, CaseIterable, Sendable, CustomStringConvertible {
        case wholeObjects = "whole objects come back as they were put"
        case replacing = "a put replaces, also by fewer bytes, and gives a new version"
        case ranges = "ranges come back exactly, and what is not there is damaged"
        case immutableReplaced = "a range of a replaced or deleted object is never a stale one"
        case descriptors = "an open file becomes an object from its start, whatever its position"
        case ifAbsent = "put if absent creates once and never replaces"
        case ifUnchanged = "compare-and-swap replaces the version it was read from and no other"
        case ifUnchangedSameBytes = "a version is an object's, not its content's alone"
        case deleting = "deleting removes, and is no error twice"
        case listing = "listing gives the names of a prefix, sorted by bytes, with sizes"
        case nesting = "a name that is another name's folder is no object"
        case hostileNames = "names that lead out of the store are refused by every call"
        case concurrentCounter = "no update of a counter is lost among many threads"
        case singleWinner = "put if absent has one winner among many threads"
        case wholeUnderReplacement = "a reader sees one whole object while it is replaced"

        package var description: String { rawValue }
    }

    package func run(_ test: Case) throws {
        let store = try make()
        switch test {
        case .wholeObjects: try wholeObjects(store)
        case .replacing: try replacing(store)
        case .ranges: try ranges(store)
        case .immutableReplaced: try immutableReplaced(store)
        case .descriptors: try descriptors(store)
        case .ifAbsent: try ifAbsent(store)
        case .ifUnchanged: try ifUnchanged(store)
        case .ifUnchangedSameBytes: try ifUnchangedSameBytes(store)
        case .deleting: try deleting(store)
        case .listing: try listing(store)
        case .nesting: try nesting(store)
        case .hostileNames: try hostileNames(store)
        case .concurrentCounter: try concurrentCounter(store)
        case .singleWinner: try singleWinner(store)
        case .wholeUnderReplacement: try wholeUnderReplacement(store)
        }
    }

    private func pattern(_ count: Int, seed: Int = 0) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ seed) }
    }

    private func range(_ store: any ObjectStore, _ name: String, _ offset: UInt64, _ length: Int) throws(AsofError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xEE, count: length)
        try bytes.withUnsafeMutableBufferPointer { (buffer) throws(AsofError) in
            try store.get(name, at: offset, into: UnsafeMutableRawBufferPointer(buffer))
        }
        return bytes
    }

    private func failure(_ body: () throws(AsofError) -> Void) -> AsofError? {
        do throws(AsofError) {
            try body()
            return nil
        } catch {
            return error
        }
    }

    private func wholeObjects(_ store: any ObjectStore) throws {
        #expect(try store.get("none") == nil, "\(label)")
        #expect(try store.get("no/such/folder/none.json") == nil, "\(label)")
        #expect(try store.size("none") == nil, "\(label)")
        for (index, count) in [0, 1, 4096, 100_001].enumerated() {
            for name in ["top-\(index)", "a/b/c/deep-\(index)", "a/head-\(index).json"] {
                try store.put(name, pattern(count))
                #expect(try store.get(name)?.bytes == pattern(count), "\(label) \(name)")
                #expect(try store.size(name) == UInt64(count), "\(label) \(name)")
            }
        }
    }

    private func replacing(_ store: any ObjectStore) throws {
        for name in ["x/object", "x/head.json"] {
            try store.put(name, pattern(1000))
            let first = try #require(try store.get(name))
            #expect(try store.get(name)?.version == first.version, "\(label): a version lasts while nothing changes")
            try store.put(name, [1, 2, 3])
            let second = try #require(try store.get(name))
            #expect(second.bytes == [1, 2, 3], "\(label)")
            #expect(second.version != first.version, "\(label)")
            #expect(try store.size(name) == 3, "\(label)")
        }
    }

    private func ranges(_ store: any ObjectStore) throws {
        let bytes = pattern(10_000)
        for name in ["packs/p", "head.json"] {
            try store.put(name, bytes)
            for (offset, length) in [(0, 1), (0, 10_000), (9_999, 1), (4_095, 2), (5_000, 5_000), (10_000, 0), (0, 0)] {
                #expect(try range(store, name, UInt64(offset), length) == Array(bytes[offset..<offset + length]), "\(label)")
            }
            for (offset, length) in [(9_999, 2), (10_000, 1), (10_001, 0), (UInt64.max, 1), (UInt64.max, 0), (1 << 62, 5)] {
                let code = failure { () throws(AsofError) in _ = try range(store, name, offset, length) }?.code
                #expect(code == .damaged, "\(label) \(offset)")
            }
        }
        #expect(failure { () throws(AsofError) in _ = try range(store, "packs/none", 0, 1) }?.code == .damaged, "\(label)")
        #expect(failure { () throws(AsofError) in _ = try range(store, "none/none", 0, 0) }?.code == .damaged, "\(label)")
    }

    private func immutableReplaced(_ store: any ObjectStore) throws {
        for name in ["packs/p", "head.json"] {
            try store.put(name, [1, 1, 1])
            #expect(try range(store, name, 0, 3) == [1, 1, 1], "\(label)")
            try store.put(name, [2, 2, 2])
            #expect(try range(store, name, 0, 3) == [2, 2, 2], "\(label)")
            try store.delete(name)
            #expect(failure { () throws(AsofError) in _ = try range(store, name, 0, 3) }?.code == .damaged, "\(label)")
            #expect(try store.putIfAbsent(name, [3]), "\(label)")
            #expect(try range(store, name, 0, 1) == [3], "\(label)")
        }
    }

    private func descriptors(_ store: any ObjectStore) throws {
        let directory = try TemporaryDirectory("source")
        for count in [0, 5, 300_000] {
            let bytes = pattern(count, seed: count)
            try directory.write("source", bytes)
            let file = try SystemCall.open(directory.path("source"), O_RDONLY)
            _ = lseek(file.raw, 3, SEEK_SET)
            try store.put("segments/s", fromDescriptor: file.raw)
            #expect(try store.get("segments/s")?.bytes == bytes, "\(label)")
        }
    }

    private func ifAbsent(_ store: any ObjectStore) throws {
        for name in ["leases/a.json", "plain"] {
            #expect(try store.putIfAbsent(name, [1]), "\(label)")
            #expect(try !store.putIfAbsent(name, [2]), "\(label)")
            #expect(try store.get(name)?.bytes == [1], "\(label)")
            try store.delete(name)
            #expect(try store.putIfAbsent(name, [3]), "\(label)")
            #expect(try store.get(name)?.bytes == [3], "\(label)")
        }
    }

    private func ifUnchanged(_ store: any ObjectStore) throws {
        let name = "timelines/main/head.json"
        let never = ObjectVersion(token: "never")
        #expect(try store.put(name, [9], ifUnchanged: never) == nil, "\(label)")
        #expect(try store.get(name) == nil, "\(label): a failed swap creates nothing")
        try store.put(name, [1])
        #expect(try store.put(name, [9], ifUnchanged: never) == nil, "\(label)")
        let first = try #require(try store.get(name)).version
        let second = try #require(try store.put(name, [2], ifUnchanged: first))
        #expect(try store.get(name)?.version == second, "\(label): the returned version is the one that is read")
        #expect(try store.put(name, [9], ifUnchanged: first) == nil, "\(label)")
        #expect(try store.get(name)?.bytes == [2], "\(label)")
        #expect(try store.put(name, pattern(50_000), ifUnchanged: second) != nil, "\(label)")
        try store.delete(name)
        #expect(try store.put(name, [9], ifUnchanged: second) == nil, "\(label)")
        #expect(try store.get(name) == nil, "\(label)")
    }

    private func ifUnchangedSameBytes(_ store: any ObjectStore) throws {
        let name = "head.json"
        try store.put(name, [1])
        let first = try #require(try store.get(name)).version
        // Long enough for the coarsest clock of a file system.
        SystemClock.sleep(.milliseconds(25))
        try store.put(name, [2])
        try store.put(name, [1])
        #expect(try store.put(name, [9], ifUnchanged: first) == nil, "\(label)")
    }

    private func deleting(_ store: any ObjectStore) throws {
        try store.put("a/b", [1])
        try store.put("a/c", [1])
        try store.delete("a/b")
        try store.delete("a/b")
        try store.delete("never/was")
        try store.delete("a")
        #expect(try store.get("a/b") == nil, "\(label)")
        #expect(try store.get("a/c")?.bytes == [1], "\(label)")
    }

    private func listing(_ store: any ObjectStore) throws {
        #expect(try store.list(prefix: "") == [], "\(label)")
        let names = ["a/b", "a-b", "a/b-c", "a/bc/d", "ab", "b.json", "a/b.json", "timelines/m/head.json", "Z"]
        for (index, name) in names.enumerated() { try store.put(name, pattern(index)) }
        func listed(_ prefix: String) throws -> [String] { try store.list(prefix: prefix).map(\.name) }
        let sorted = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        #expect(try listed("") == sorted, "\(label)")
        for prefix in ["a", "a/", "a/b", "a/b-", "a/bc", "a/bc/", "a/bc/d", "timelines/", "timelines/m/h", "x", "x/", "a/b/"] {
            #expect(try listed(prefix) == sorted.filter { $0.hasPrefix(prefix) }, "\(label) \(prefix)")
        }
        for object in try store.list(prefix: "") {
            #expect(object.size == UInt64(names.firstIndex(of: object.name) ?? -1), "\(label) \(object.name)")
            #expect(abs(object.modified.nanoseconds(since: SystemClock.now())) < 3600 * 1_000_000_000, "\(label)")
        }
        try store.delete("a/b")
        #expect(try !listed("").contains("a/b"), "\(label)")
    }

    private func nesting(_ store: any ObjectStore) throws {
        try store.put("a/b/c", [1])
        #expect(try store.get("a/b") == nil, "\(label)")
        #expect(try store.size("a") == nil, "\(label)")
        #expect(try store.get("a/b/c/d") == nil, "\(label)")
        #expect(failure { () throws(AsofError) in _ = try range(store, "a/b", 0, 1) }?.code == .damaged, "\(label)")
    }

    private func hostileNames(_ store: any ObjectStore) throws {
        let names = [
            "", "/", "/etc/passwd", "..", "../x", "a/../../x", "a/..", ".", "a/./b", "a//b", "a/", "/a", ".tmp/x", ".lock",
            "a/.hidden", "a\0b", "a\nb", "ä", "a b", "\u{202E}", String(repeating: "x", count: 256),
            String(repeating: "x/", count: 600) + "x",
        ]
        for name in names {
            let calls: [(String, () throws(AsofError) -> Void)] = [
                ("get", { () throws(AsofError) in _ = try store.get(name) }),
                ("range", { () throws(AsofError) in _ = try range(store, name, 0, 1) }),
                ("size", { () throws(AsofError) in _ = try store.size(name) }),
                ("put", { () throws(AsofError) in try store.put(name, [1]) }),
                ("file", { () throws(AsofError) in try store.put(name, fromDescriptor: 0) }),
                ("absent", { () throws(AsofError) in _ = try store.putIfAbsent(name, [1]) }),
                ("swap", { () throws(AsofError) in _ = try store.put(name, [1], ifUnchanged: ObjectVersion(token: "")) }),
                ("delete", { () throws(AsofError) in try store.delete(name) }),
            ]
            for (call, body) in calls {
                #expect(failure(body)?.code == .failure, "\(label) \(call) \(name.debugDescription)")
            }
        }
        for prefix in ["..", "../", "/", "a//", ".tmp", ".tmp/", "a/../", "a\0"] {
            let code = failure { () throws(AsofError) in _ = try store.list(prefix: prefix) }?.code
            #expect(code == .failure, "\(label) list \(prefix.debugDescription)")
        }
        #expect(try store.list(prefix: "") == [], "\(label)")
    }

    /// Runs `body` on `count` threads and returns what they returned; a failure of any is recorded.
    private func onThreads<R: Sendable>(_ count: Int, _ body: @escaping @Sendable (Int) throws -> R) throws -> [R] {
        let results = Lock<[Result<R, any Error>]>([])
        let threads = try (0..<count).map { number in
            try NamedThread("store-\(number)") {
                let result = Result { try body(number) }
                results.withLock { $0.append(result) }
            }
        }
        for thread in threads { thread.join() }
        return try results.withLock { $0 }.map { try $0.get() }
    }

    private func concurrentCounter(_ store: any ObjectStore) throws {
        let name = "counter.json"
        try store.put(name, Array("0 start".utf8))
        _ = try onThreads(6) { number in
            for step in 0..<15 {
                while true {
                    guard let current = try store.get(name) else { throw AsofError(.failure, "the counter is gone") }
                    let text = String(decoding: current.bytes, as: UTF8.self)
                    let value = text.split(separator: " ").first.flatMap { Int($0) } ?? .min
                    // The writer's name makes the bytes unique, as the contract of retries wants it.
                    let next = Array("\(value + 1) \(number)-\(step)".utf8)
                    if try store.put(name, next, ifUnchanged: current.version) != nil { break }
                }
            }
        }
        let text = String(decoding: try store.get(name)?.bytes ?? [], as: UTF8.self)
        let value = text.split(separator: " ").first.flatMap { Int($0) } ?? 0
        #expect(mayRepeat ? value >= 90 : value == 90, "\(label): \(text)")
    }

    private func singleWinner(_ store: any ObjectStore) throws {
        for round in 0..<10 {
            let name = round.isMultiple(of: 2) ? "leases/\(round).json" : "claims/\(round)"
            let wins = try onThreads(6) { number in
                (number, try store.putIfAbsent(name, Array("thread \(number)".utf8)))
            }.filter(\.1)
            #expect(wins.count == 1, "\(label) round \(round)")
            let content = String(decoding: try store.get(name)?.bytes ?? [], as: UTF8.self)
            #expect(content == "thread \(wins.first?.0 ?? -1)", "\(label) round \(round)")
        }
    }

    private func wholeUnderReplacement(_ store: any ObjectStore) throws {
        let name = "head.json"
        try store.put(name, [UInt8](repeating: 0, count: 70_000))
        let stop = Lock(false)
        let writer = try NamedThread("replacer") {
            for value in 1...30 {
                // Lengths differ too: a mixture would be seen in either.
                try? store.put(name, [UInt8](repeating: UInt8(value), count: 70_000 - value))
            }
            stop.withLock { $0 = true }
        }
        var seen = 0
        while !stop.withLock({ $0 }) || seen == 0 {
            let bytes = try store.get(name)?.bytes ?? []
            let value = bytes.first ?? 0xFF
            #expect(bytes == [UInt8](repeating: value, count: 70_000 - Int(value)), "\(label)")
            seen += 1
        }
        writer.join()
        #expect(try store.get(name)?.bytes.first == 30, "\(label)")
    }
}
