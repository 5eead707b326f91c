import AsofCore
import AsofFileSystem
import AsofRepository
import AsofTestSupport
import AsofView
import Glibc
import Synchronization
import Testing

@Suite("The numbers of a directory of time")
struct TimeFileSystemTests {
    let history: RecordedHistory
    let states: [Name]

    init() throws {
        var options = RecordedHistory.Options(seed: 1)
        options.groupEnds = 100
        history = try RecordedHistory(options)
        states = try (1...history.steps.count).map { try #require(Name("lsn-\($0)")) }
    }

    private func served(slots: Int, links: Int = 4096) -> TimeFileSystem {
        TimeFileSystem(
            history.timeline, head: history.head, reader: ObjectReader(repository: history.repository),
            presentation: ViewFileSystem.Presentation { _ in }, slots: slots, links: links,
            interpret: { name in name.hasPrefix("lsn-") ? UInt64(name.dropFirst(4)).map { .folder(.lsn(LSN($0))) } : .link(.latest) },
            refresh: { [head = history.head] _ throws(AsofError) in head })
    }

    private func moment(_ node: Node, in served: TimeFileSystem) throws -> [UInt8] {
        try served.extendedAttribute(try #require(Name("user.asof.lsn")), of: node.id)
    }

    @Test func `a slot is another moment's once nothing in it is referred to`() throws {
        let served = served(slots: 4)
        let moments = states.suffix(6).map { (name: Name) in (name, Result { try served.lookup(name, in: 1, Request()) }) }
        let kept = try moments.prefix(4).map { try $0.1.get() }
        #expect(throws: Errno(ENOSPC)) { try moments[4].1.get() }

        // What lies below counts as well, and every look-up.
        let (first, below) = (kept[0], try #require(try firstChild(of: kept[0], in: served)))
        _ = try served.lookup(moments[0].0, in: 1, Request())
        served.forget(first.id, count: 2)
        #expect(throws: Errno(ENOSPC)) { try served.lookup(moments[4].0, in: 1, Request()) }
        #expect(try served.attributes(of: below.id, handle: nil).id == below.id)
        served.forget(below.id, count: 1)

        let next = try served.lookup(moments[4].0, in: 1, Request())
        #expect(next.id == first.id)
        for (node, name) in [(next, moments[4].0), (kept[1], moments[1].0), (kept[3], moments[3].0)] {
            #expect(try moment(node, in: served) == Array(name.bytes.dropFirst(4)))
        }
        #expect(throws: Errno(ENOSPC)) { try served.lookup(moments[5].0, in: 1, Request()) }
    }

    private func firstChild(of directory: Node, in served: TimeFileSystem) throws -> Node? {
        var names: [Name] = []
        try served.list(directory.id, handle: 0, after: 0) { entry in
            if let name = Name(entry.name) { names.append(name) }
            return true
        }
        return try names.first.map { try served.lookup($0, in: directory.id, Request()) }
    }

    @Test func `the oldest are asked for before there is no slot left`() throws {
        let served = served(slots: 8)
        let asked = Mutex<[[Name]]>([])
        served.whenCrowded { names in asked.withLock { $0.append(names) } }
        let names = Array(states.suffix(8))
        for name in names.prefix(6) { _ = try served.lookup(name, in: 1, Request()) }
        #expect(asked.withLock { $0 } == [])
        _ = try served.lookup(names[0], in: 1, Request())
        _ = try served.lookup(names[6], in: 1, Request())
        #expect(asked.withLock { $0 } == [Array(names[1...2])])
    }

    @Test func `the kernel is asked for links, too`() throws {
        let served = served(slots: 8, links: 8)
        let asked = Mutex<[[Name]]>([])
        served.whenCrowded { names in asked.withLock { $0.append(names) } }
        let names = try (0..<9).map { try #require(Name("\($0)s-ago")) }
        let nodes = try names.prefix(8).map { try served.lookup($0, in: 1, Request()) }
        #expect(asked.withLock { $0 } == [Array(names[0...1])])
        #expect(throws: Errno(ENOSPC)) { try served.lookup(names[8], in: 1, Request()) }
        served.forget(nodes[0].id, count: 1)
        #expect(try served.lookup(names[8], in: 1, Request()).id == nodes[0].id)
        #expect(!(try served.readSymbolicLink(nodes[1].id)).isEmpty)
    }

    @Test func `of a moment that may be there nobody says that it is not`() throws {
        let served = TimeFileSystem(
            history.timeline, head: history.head, reader: ObjectReader(repository: history.repository), presentation: ViewFileSystem.Presentation { _ in },
            interpret: { name in UInt64(name).map { .folder(.lsn(LSN($0))) } }, refresh: { _ throws(AsofError) in nil })
        #expect(throws: Errno(EAGAIN)) { try served.lookup(try #require(Name("999999")), in: 1, Request()) }
        #expect(try served.lookup(try #require(Name("1")), in: 1, Request()).attributes.isDirectory)
    }

    @Test func `links are kept for as long as they are referred to`() throws {
        let served = served(slots: 8)
        for number in 0..<10_000 {
            let node = try served.lookup(try #require(Name("\(number)s-ago")), in: 1, Request())
            #expect(!(try served.readSymbolicLink(node.id)).isEmpty)
            served.forget(node.id, count: 1)
        }
    }
}
