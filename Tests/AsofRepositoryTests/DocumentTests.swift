import AsofCore
import AsofFormat
import AsofFrame
import AsofRepository
import AsofStore
import AsofTestSupport
import Testing

@Suite("asof.json and head.json")
struct DocumentTests {
    private let key = [UInt8](repeating: 9, count: 32)

    private func error(_ body: () throws(AsofError) -> Void) -> AsofError? {
        do throws(AsofError) {
            try body()
            return nil
        } catch { return error }
    }

    private func example(isEncrypted: Bool) throws -> RecordedHistory {
        try RecordedHistory(.init(seed: 3, transactions: 14, isEncrypted: isEncrypted))
    }

    @Test(arguments: [false, true])
    func `flipped bits and missing bytes are noticed`(isEncrypted: Bool) throws {
        let history = try example(isEncrypted: isEncrypted)
        for name in [ObjectName.configuration, ObjectName.head("main")] {
            let good = try #require(try history.store.get(name)?.bytes)
            // One bit of every third byte, and every eleventh truncation: the release campaign does them all.
            var damaged = stride(from: 0, to: good.count, by: 11).map { Array(good[..<$0]) } + [Array(good.dropLast())]
            for index in stride(from: 0, to: good.count, by: 3) {
                var copy = good
                copy[index] ^= 1 << UInt8(index % 8)
                damaged.append(copy)
            }
            for bytes in damaged {
                try history.store.put(name, bytes)
                let found = error { () throws(AsofError) in _ = try history.reopened().head() }
                #expect(found?.code == .damaged)
                #expect(found?.message.contains(name) == true, "\(String(describing: found))")
            }
            try history.store.put(name, good)
        }
        #expect(try history.reopened().head() == history.head)
    }

    @Test(arguments: [#"{"format":3}"#, #"{"format":3,"epoch":"in other words"}"#])
    func `a later format is refused with a hint, whatever else is in it`(json: String) {
        for key in [nil, key] {
            let head = error { () throws(AsofError) in
                _ = try Head(decoding: SignedDocument.seal(Array(json.utf8), key: key), of: "main", key: key, name: "head.json")
            }
            #expect(head?.code == .failure && head?.hint?.contains("newer") == true, "\(String(describing: head))")
        }
        let configuration = error { () throws(AsofError) in
            _ = try RepositoryConfiguration(decoding: SignedDocument.seal(Array(json.utf8), key: nil), name: "asof.json")
        }
        #expect(configuration?.code == .failure && configuration?.hint?.contains("newer") == true)
    }

    private func configuration(requires: [String], slots: [[UInt8]]) throws -> [UInt8] {
        try RepositoryConfiguration(
            id: .random(), created: Instant(nanoseconds: 0), compression: .none, requiredFeatures: requires, optionalFeatures: ["unheard-of"],
            keySlots: slots
        ).encode()
    }

    @Test func `an unknown required feature is named, an unknown optional one is not minded`() throws {
        let bytes = try configuration(requires: ["time-travel"], slots: [])
        let found = error { () throws(AsofError) in _ = try RepositoryConfiguration(decoding: bytes, name: "asof.json") }
        #expect(found?.message.contains("time-travel") == true && found?.hint?.contains("newer") == true)
        let plain = try configuration(requires: [], slots: [])
        #expect(error { () throws(AsofError) in _ = try RepositoryConfiguration(decoding: plain, name: "asof.json") } == nil)
    }

    @Test func `encryption without a key slot, or a slot without encryption, is damage`() throws {
        for bytes in [try configuration(requires: ["aes-256-gcm"], slots: []), try configuration(requires: [], slots: [[1]])] {
            let found = error { () throws(AsofError) in _ = try RepositoryConfiguration(decoding: bytes, name: "asof.json") }
            #expect(found?.code == .damaged)
        }
    }

    @Test func `the wrong key, and none, are refused`() throws {
        let history = try example(isEncrypted: true)
        for key in [nil, UserKey(bytes: [UInt8](repeating: 8, count: 32))] {
            let found = error { () throws(AsofError) in _ = try Repository.open(history.store, key: key) }
            #expect(found?.code == .key)
            #expect(found?.hint != nil)
        }
    }

    @Test func `a head that was signed with another key, or only hashed, is refused`() throws {
        let history = try example(isEncrypted: true)
        for other in [nil, key] {
            try history.store.put(ObjectName.head("main"), try history.head.encode(of: "main", key: other))
            let found = error { () throws(AsofError) in _ = try history.reopened().head() }
            #expect(found?.code == .damaged)
            #expect(found?.message.contains("head.json") == true)
        }
    }

    private func segment(_ first: UInt64, _ last: UInt64, fuzzy: [UInt64]) -> SealedObject {
        SealedObject(
            first: LSN(first), last: LSN(last), firstTime: Instant(nanoseconds: Int64(first)), lastTime: Instant(nanoseconds: Int64(last)),
            epoch: 1, id: .random(), size: 1000, hash: [UInt8](repeating: 7, count: 32), tailOffset: 64, tailLength: 100, highestInode: .root,
            fuzzy: fuzzy.reduce(into: FuzzyCuts()) { $0.add(LSN($1), at: Instant(nanoseconds: Int64($1))) })
    }

    @Test func `a head of another timeline is refused, one that names none is not`() throws {
        let head = Head()
        let bytes = try head.encode(of: "main", key: key)
        #expect(try Head(decoding: bytes, of: "main", key: key, name: "head.json") == head)
        let found = error { () throws(AsofError) in _ = try Head(decoding: bytes, of: "other", key: key, name: "head.json") }
        #expect(found?.code == .damaged && found?.message.contains("of timeline main") == true)
        let json = String(decoding: bytes.prefix { $0 != 0x0A }, as: UTF8.self).replacing(#","timeline":"main""#, with: "")
        #expect(!json.contains("main"))
        #expect(try Head(decoding: SignedDocument.seal(Array(json.utf8), key: key), of: "other", key: key, name: "head.json") == head)
    }

    /// Checksums prove nothing of who wrote a head: whoever counts on from these would go beyond the last number.
    @Test func `numbers that nobody can go on from are damage`() throws {
        func refused(_ change: (inout Head) -> Void) throws -> AsofError? {
            var head = Head()
            head.segments = [segment(1, 10, fuzzy: [])]
            change(&head)
            let bytes = try head.encode(of: "main", key: nil)
            return error { () throws(AsofError) in _ = try Head(decoding: bytes, of: "main", key: nil, name: "head.json") }
        }
        #expect(try refused { _ in } == nil)
        let changes: [(inout Head) -> Void] = [
            { $0.epoch = .max }, { $0.segments[0].highestInode = InodeNumber(.max) }, { $0.segments[0].epoch = .max },
            { $0.segments[0].last = LSN(.max) }, { $0.bases = $0.segments; $0.bases[0].highestInode = InodeNumber(1 << 60) },
            {
                $0.segments = []
                $0.parent = Branch(timeline: "p", point: CutPoint(lsn: LSN(1), time: Instant(nanoseconds: 1)), highestInode: InodeNumber(.max))
            },
            {
                $0.segments = []
                $0.parent = Branch(timeline: "p", point: CutPoint(lsn: LSN(.max), time: Instant(nanoseconds: 1)), highestInode: .root)
            },
        ]
        for change in changes {
            let found = try refused(change)
            #expect(found?.code == .damaged && found?.message.contains("head.json") == true, "\(String(describing: found))")
        }
    }

    @Test func `a head tells which cuts are fuzzy, over the borders of segments`() throws {
        var head = Head()
        head.segments = [segment(1, 10, fuzzy: [2, 9, 10]), segment(11, 12, fuzzy: []), segment(13, 20, fuzzy: [13]), segment(21, 30, fuzzy: [])]
        let again = try Head(decoding: try head.encode(of: "main", key: key), of: "main", key: key, name: "head.json")
        #expect(again == head)
        #expect(again.fuzzyCuts.ranges.map(\.first.rawValue) == [2, 9, 13] && again.fuzzyCuts.count == 4)
        // As a head of an older release: nothing is known of fuzzy cuts.
        head.segments = [segment(1, 10, fuzzy: [])]
        let bytes = try head.encode(of: "main", key: nil)
        #expect(!String(decoding: bytes, as: UTF8.self).contains("fuzzy"))
    }

    @Test(arguments: [
        #""count":1,"first":2,"last":11,"times":[1,2]"#, #""count":0,"first":2,"last":2,"times":[1,2]"#,
        #""count":3,"first":2,"last":3,"times":[1,2]"#, #""count":1,"first":2,"last":2,"times":[1]"#,
        #""count":1,"first":3,"last":2,"times":[1,2]"#, #""count":1,"first":0,"last":2,"times":[1,2]"#,
    ])
    func `fuzzy cuts that cannot be are damage`(hostile: String) throws {
        var head = Head()
        head.segments = [segment(1, 10, fuzzy: [2])]
        let json = String(decoding: try head.encode(of: "main", key: nil).prefix { $0 != 0x0A }, as: UTF8.self)
        let good = #""count":1,"first":2,"last":2,"times":[2,2]"#
        #expect(json.contains(good))
        let parts = json.split(separator: good, omittingEmptySubsequences: false)
        let bytes = SignedDocument.seal(Array(parts.joined(separator: hostile).utf8), key: nil)
        let found = error { () throws(AsofError) in _ = try Head(decoding: bytes, of: "main", key: nil, name: "head.json") }
        #expect(found?.code == .damaged && found?.message.contains("fuzzy") == true, "\(String(describing: found))")
    }
}
