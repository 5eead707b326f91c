import AsofCore
import AsofSystem
import AsofWeaviate
import Testing

@testable import AsofCapture

@Suite("Known tree")
struct KnownTreeTests {
    private static let file = Attributes(mode: 0o100644, links: 1, size: 100, modified: Instant(nanoseconds: 5), changed: Instant(nanoseconds: 6))
    private static let directory = Attributes(mode: 0o040755, links: 2, modified: .distantPast, changed: .distantFuture)

    private static func handle(_ number: UInt8) -> StableHandle { StableHandle(bytes: [1, 0, 0, 0, number, 0, 0, 0, 7, 7, 7, 7]) }

    private static func name(_ text: String) -> Name { Name(unchecked: Array(text.utf8)) }

    /// A root that holds the directories 2 and 3.
    private static func tree() -> KnownTree {
        var tree = KnownTree(highest: InodeNumber(3))
        for number in 1...3 as ClosedRange<UInt64> { tree.add(InodeNumber(number), handle(UInt8(number)), directory, .unknown) }
        tree.setEntry(.root, name("a"), InodeNumber(2))
        tree.setEntry(.root, name("b"), InodeNumber(3))
        return tree
    }

    @Test(arguments: [2, 1 << 32 - 1, 1 << 32, 1 << 32 + 2, 1 << 48, .max - 1, .max] as [UInt64])
    func `numbers of all sizes are told apart`(number: UInt64) {
        var tree = KnownTree(highest: .root)
        let inode = InodeNumber(number)
        tree.add(.root, Self.handle(1), Self.directory, .unknown)
        tree.add(inode, Self.handle(2), Self.file, .log)
        tree.setEntry(.root, Self.name("x"), inode)
        let (target, found, place) = (tree.target(of: Self.name("x"), in: .root), tree.number(of: Self.handle(2)), tree.place(of: inode))
        #expect(target == inode && found == inode)
        #expect(place?.parent == .root && place?.name == Self.name("x"))
        let isKnown = tree.contains(InodeNumber(number ^ 1 << 32))
        #expect(!isKnown)
    }

    @Test func `the number after the highest is new`() {
        var tree = KnownTree(highest: InodeNumber(1 << 32 - 1))
        let (first, second, highest) = (tree.nextNumber(), tree.nextNumber(), tree.highest)
        #expect(first.rawValue == 1 << 32 && second.rawValue == 1 << 32 + 1 && highest == second)
    }

    @Test func `300 names of 255 bytes that differ in their ends`() {
        var tree = Self.tree()
        let names = (0..<300).map { Name(unchecked: [UInt8](repeating: 0xFF, count: 253) + [UInt8($0 / 256 + 1), UInt8($0 % 256)]) }
        for (number, name) in names.enumerated() {
            let inode = InodeNumber(UInt64(number + 10))
            tree.add(inode, StableHandle(bytes: [1, 0, 0, 0] + Self.name("\(number + 10_000_000)").bytes), Self.file, .unknown)
            tree.setEntry(InodeNumber(2), name, inode)
        }
        // Gone and back in another order, so that the place of a name's bytes moves.
        for name in names.reversed() {
            let target = tree.setEntry(InodeNumber(2), name, nil)
            tree.setEntry(InodeNumber(2), name, target)
        }
        let targets = names.map { tree.target(of: $0, in: InodeNumber(2))?.rawValue }
        #expect(targets == (0..<300).map { UInt64($0 + 10) })
        let entries = tree.entries(of: InodeNumber(2))
        #expect(Set(entries.map(\.name)) == Set(names))
    }

    @Test func `a file with three names has a place as long as one of them is there`() {
        var tree = Self.tree()
        let inode = InodeNumber(9)
        tree.add(inode, Self.handle(9), Self.file, .segment)
        let names = [("x", 2), ("y", 2), ("x", 3)].map { (Self.name($0.0), InodeNumber($0.1)) }
        for (name, parent) in names { tree.setEntry(parent, name, inode) }
        let newest = tree.place(of: inode)
        #expect(newest?.parent == InodeNumber(3))
        for (index, (name, parent)) in names.enumerated() {
            let (count, path) = (tree[inode]?.names, tree.path(of: inode))
            #expect(count == 3 - index && path?.count == 2)
            tree.setEntry(parent, name, nil)
        }
        let (count, place, path) = (tree[inode]?.names, tree.place(of: inode), tree.path(of: inode))
        #expect(count == 0 && place == nil && path == nil)
    }

    @Test func `a name may mean what the tree does not know, and a directory be one`() {
        var tree = Self.tree()
        let (stranger, child) = (InodeNumber(50), InodeNumber(51))
        tree.setEntry(.root, Self.name("s"), stranger)
        tree.setEntry(stranger, Self.name("c"), child)
        let (found, inIt, isKnown, count) = (
            tree.target(of: Self.name("s"), in: .root), tree.entries(of: stranger), tree.contains(stranger), tree.count
        )
        #expect(found == stranger && inIt.map(\.target) == [child] && !isKnown && count == 3)
        // What it was named before is not counted once it is known.
        tree.add(stranger, Self.handle(50), Self.directory, .unknown)
        let (names, entries) = (tree[stranger]?.names, tree.entries(of: stranger).count)
        #expect(names == 0 && entries == 1)
        let before = tree.setEntry(.root, Self.name("s"), nil)
        #expect(before == stranger)
    }

    @Test func `a name of what is gone is kept`() {
        var tree = Self.tree()
        tree.remove(InodeNumber(2))
        let (target, place, number) = (tree.target(of: Self.name("a"), in: .root), tree.place(of: InodeNumber(2)), tree.number(of: Self.handle(2)))
        #expect(target == InodeNumber(2) && place == nil && number == nil)
    }

    @Test func `a ring of directories has no path`() {
        var tree = Self.tree()
        tree.setEntry(InodeNumber(2), Self.name("in"), InodeNumber(3))
        tree.setEntry(InodeNumber(3), Self.name("in"), InodeNumber(2))
        for name in ["a", "b"] { tree.setEntry(.root, Self.name(name), nil) }
        let paths = [tree.path(of: InodeNumber(2)), tree.path(of: InodeNumber(3))]
        #expect(paths == [nil, nil])
        let root = tree.path(of: .root)
        #expect(root == [])
    }

    @Test func `a directory in itself goes without a trace`() {
        var tree = KnownTree(highest: .root)
        let inode = InodeNumber(7)
        tree.setEntry(inode, Self.name("me"), inode)
        tree.setEntry(inode, Self.name("me"), nil)
        let counts = [tree.byName.count, tree.byNumber.count]
        #expect(counts == [0, 0])
    }

    /// Each field, changed alone.
    static let changes: [(String, @Sendable (inout Attributes) -> Void)] = [
        ("mode", { $0.mode ^= 1 }), ("links", { $0.links += 1 }), ("owner", { $0.owner += 1 }), ("group", { $0.group += 1 }),
        ("size", { $0.size += 1 }), ("device", { $0.device += 1 }), ("modified", { $0.modified.nanoseconds += 1 }),
        ("changed", { $0.changed.nanoseconds += 1 }),
    ]

    @Test(arguments: changes.indices)
    func `attributes that differ in one field are told apart`(index: Int) {
        var tree = Self.tree()
        tree.add(InodeNumber(9), Self.handle(9), Self.file, .log)
        var other = Self.file
        Self.changes[index].1(&other)
        let node = tree[InodeNumber(9)]
        #expect(node?.isLogged(as: Self.file) == true)
        #expect(node?.isLogged(as: other) == false, "\(Self.changes[index].0)")
    }

    /// What a record holds of itself, and what it does not.
    static let lengths: [UInt64] = [0, 1, 100, 4095, 4096, 4097, 8192, 50_000]

    @Test(arguments: lengths)
    func `digests come back as they were, whether the size says how much they are of or not`(length: UInt64) {
        let bytes = (0..<Int(length) + 5000).map { UInt8(truncatingIfNeeded: $0 &* 7 + $0 / 256) }
        for (isUnseen, isTail, size) in [(true, false, length), (true, false, 3), (false, false, length), (false, true, length), (false, true, 3)] {
            var digests = isUnseen ? ContentDigests(unseen: length) : ContentDigests()
            if !isUnseen { _ = bytes[..<Int(length)].withUnsafeBytes { digests.take($0, at: 0) } }
            if isTail { digests.forgetAllButTail() }
            var tree = Self.tree()
            var attributes = Self.file
            attributes.size = size
            tree.add(InodeNumber(9), Self.handle(9), attributes, .log)
            tree.setDigests(digests, of: InodeNumber(9))
            attributes.size = length + 1
            tree.setAttributes(attributes, of: InodeNumber(9))
            attributes.size = length
            tree.setAttributes(attributes, of: InodeNumber(9))
            let aside = tree.otherDigests.count
            #expect(aside == (!isUnseen && !isTail && length > 4096 ? 1 : 0))
            // Names in a file make no sense, and lose nothing.
            tree.setEntry(InodeNumber(9), Self.name("x"), .root)
            guard var found = tree.digests(of: InodeNumber(9)) else {
                Issue.record("no digests")
                continue
            }
            let tail = Array(bytes[Int(digests.tailStart)...])
            #expect(found.length == length)
            #expect(tail.withUnsafeBytes { found.matchesTail($0) })
            #expect(bytes.withUnsafeBytes { found.take($0, at: 0) } == bytes.withUnsafeBytes { digests.take($0, at: 0) })
        }
    }
}
