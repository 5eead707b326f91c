import AsofCore
import AsofFormat
import AsofRepository
import AsofStore
import AsofTestSupport
import AsofView
import Testing

/// Timelines that leave others: after every transaction, of the parent's part and their own, the view is what the model says.
@Suite("Timelines that go on from others")
struct TimelineTests {
    private func options(_ seed: UInt64, of parent: RecordedHistory, transactions: Int) -> RecordedHistory.Options {
        var options = RecordedHistory.Options.varied(seed: seed)
        (options.compression, options.isEncrypted) = (parent.options.compression, parent.options.isEncrypted)
        options.transactions = transactions
        return options
    }

    @Test(arguments: [0, 100, 200] as [UInt64])
    func `a child's view equals the model after each transaction, wherever it leaves its parent`(first: UInt64) throws {
        for seed in first..<first + 8 {
            var random = SplitMix64(seed: seed ^ 0xB0A7)
            var parentOptions = RecordedHistory.Options.varied(seed: seed)
            parentOptions.transactions = 20 + random.below(30)
            var family = [try RecordedHistory(parentOptions)]
            for number in 1...3 {
                let parent = family[random.below(family.count)]
                let position = 1 + random.below(parent.steps.count)
                let child = try RecordedHistory(
                    "child-\(number)", leaving: parent, after: position,
                    options(seed &* 31 &+ UInt64(number), of: parent, transactions: random.chance(20) ? 0 : 3 + random.below(25)))
                family.append(child)
            }
            for member in family {
                let difference = try member.firstDifference(thoroughEvery: 40)
                #expect(difference == nil, "seed \(seed), \(member.timeline.name)")
            }
        }
    }

    @Test func `children leave in the middle of segments, at their ends and inside of children, with bases and without`() throws {
        var kinds: Set<String> = []
        for seed in 0..<12 as Range<UInt64> {
            let parent = try RecordedHistory(.varied(seed: seed))
            let position = parent.steps.count / 2
            let child = try RecordedHistory("child", leaving: parent, after: position, options(seed, of: parent, transactions: 20))
            let isEnd = parent.head.segments.contains { $0.last == LSN(UInt64(position)) }
            kinds.insert(isEnd ? "end" : "middle")
            kinds.insert(child.head.bases.isEmpty ? "no base" : "base")
            let grandchild = try RecordedHistory(
                "grandchild", leaving: child, after: position + Int(seed) - 4, options(seed + 50, of: parent, transactions: 9))
            let named = try #require(grandchild.head.parent?.timeline)
            #expect(named == (seed > 4 ? "child" : "main"), "the parent is who owns the transaction")
            kinds.insert(named)
            #expect(try grandchild.firstDifference() == nil, "seed \(seed)")
        }
        #expect(kinds == ["end", "middle", "no base", "base", "child", "main"])
    }

    @Test func `the log of a child begins with its parent's, and inode numbers go on above`() throws {
        let parent = try RecordedHistory(.init(seed: 5, transactions: 40))
        let child = try RecordedHistory("child", leaving: parent, after: 17, .init(seed: 6, transactions: 10))
        let reader = ObjectReader(repository: child.repository)
        var found: [Transaction] = []
        try TransactionReader(child.timeline, head: child.head, reader: reader).each(from: LSN(3), to: LSN(22)) { found.append($0) }
        #expect(found == child.steps[2..<22].map(\.transaction))
        let own = child.steps[17...].flatMap(\.transaction.operations)
        for case .attributes(let inode, _, isBorn: true) in own { #expect(inode > parent.head.highestInode) }
    }

    @Test func `names of children are the first free ones`() throws {
        let history = try RecordedHistory(.init(seed: 3, transactions: 14))
        let cut = Cut(lsn: LSN(5), time: history.steps[4].transaction.time)
        let first = try history.timeline.makeChild(at: cut, head: history.head)
        let second = try history.timeline.makeChild(at: cut, head: history.head)
        let third = try first.timeline.makeChild(at: cut, head: first.head)
        #expect([first, second, third].map(\.timeline.name) == ["main-2", "main-3", "main-4"])
        #expect(third.head.parent == first.head.parent, "nothing is the child's own yet")
        let other = try history.repository.timeline("release-7").branch(from: history.timeline, at: cut, head: history.head)
        #expect(try history.repository.timeline("release-7").makeChild(at: cut, head: other).timeline.name == "release-7-2")
        let refused = #expect(throws: AsofError.self) {
            _ = try history.repository.timeline("main-2").branch(from: history.timeline, at: cut, head: history.head)
        }
        #expect(refused?.message.contains("main-2") == true)
    }

    // MARK: Damage

    /// What opening the newest state of a timeline says.
    private func failure(_ timeline: Timeline) -> AsofError? {
        do throws(AsofError) {
            let (head, reader) = (try timeline.head(), ObjectReader(repository: timeline.repository))
            for request in [CutRequest.lsn(LSN(2)), .latest] {
                try View(try timeline.resolve(request, head: head, reader: reader), of: timeline, head: head, reader: reader).open()
            }
            return nil
        } catch { return error }
    }

    @Test func `parents that cannot be are named, and nothing goes round for ever`() throws {
        let history = try RecordedHistory(.init(seed: 3, transactions: 14))
        func child(_ name: String, of parent: String, at lsn: UInt64) throws -> Timeline {
            let timeline = try history.repository.timeline(name)
            _ = try timeline.update { head throws(AsofError) in
                head.parent = Branch(timeline: parent, point: CutPoint(lsn: LSN(lsn), time: history.steps[2].transaction.time), highestInode: .root)
                head.first = history.head.first
                head.capturedUntil = history.steps[2].transaction.time
            }
            return timeline
        }
        #expect(failure(try child("good", of: "main", at: 3)) == nil)
        for (timeline, words) in [
            (try child("orphan", of: "nobody", at: 3), "not there"), (try child("late", of: "main", at: 99), "ends at lsn:14"),
            (try child("narcissus", of: "narcissus", at: 3), "in turn"),
        ] {
            let found = failure(timeline)
            #expect(found?.code == .damaged && found?.message.contains(words) == true, "\(String(describing: found))")
        }
        _ = try child("one", of: "two", at: 3)
        let ring = failure(try child("two", of: "one", at: 3))
        #expect(ring?.code == .damaged && ring?.message.contains("in turn") == true, "\(String(describing: ring))")
    }

    @Test func `a head with a parent is not taken for one without`() throws {
        let history = try RecordedHistory(.init(seed: 3, transactions: 14))
        let child = try RecordedHistory("child", leaving: history, after: 6, .init(seed: 4, transactions: 5))
        let json = String(decoding: try child.head.encode(of: "child", key: nil).prefix { $0 != 0x0A }, as: UTF8.self)
        #expect(json.contains(#""format":2"#) && json.contains(#""parent":{"inode":"#))
        for (good, wrong) in [
            (#""format":2"#, #""format":1"#), (#""lsn":6,"#, #""lsn":5,"#), (#""lsn":6,"#, #""lsn":0,"#), (#""timeline":"main""#, #""timeline":"../x""#),
        ] {
            let parts = json.split(separator: good, omittingEmptySubsequences: false)
            #expect(parts.count > 1)
            let bytes = SignedDocument.seal(Array(parts.joined(separator: wrong).utf8), key: nil)
            let found = #expect(throws: AsofError.self) { _ = try Head(decoding: bytes, of: "child", key: nil, name: "head.json") }
            #expect(found?.code == .damaged, "\(wrong): \(String(describing: found))")
        }
    }
}
