import AsofCore
import AsofSystem
import AsofTestSupport
import AsofWeaviate
import Testing

@testable import AsofCapture

@Suite("Known tree: against dictionaries")
struct KnownTreeModelTests {
    @Test(arguments: 0..<12 as Range<UInt64>)
    func `the tree agrees with dictionaries, whatever happens in whatever order`(seed: UInt64) {
        var pair = TreePair(seed: seed)
        for step in 0..<3000 {
            pair.change()
            if step % 150 == 149 { pair.compare("seed \(seed), step \(step)") }
        }
        pair.removeEverything()
        pair.compare("seed \(seed), in the end")
        pair.expectNothingIsLeft()
    }

    @Test func `the tree agrees with dictionaries over many records, of which most come and go`() {
        var pair = TreePair(seed: 99, numbers: 3000, names: 900)
        for round in 0..<3 {
            for _ in 0..<10_000 { pair.change() }
            pair.compare("round \(round)")
        }
        pair.removeEverything()
        pair.compare("in the end")
        pair.expectNothingIsLeft()
    }
}

/// The tree and its model, changed alike.
private struct TreePair: ~Copyable {
    var tree = KnownTree(highest: .root)
    var model = DictionaryTree(highest: .root)
    private var random: SplitMix64
    private let numbers: [InodeNumber]
    /// Few, so that they are full; some that the tree does not know.
    private let directories: [InodeNumber]
    private let names: [Name]
    private let handles: [StableHandle]
    private var contents: [InodeNumber: [UInt8]] = [:]
    private static let kinds: [DataFileKind] = [.unknown, .log, .segment, .bolt, .counter]

    init(seed: UInt64, numbers count: Int = 60, names nameCount: Int = 40) {
        var random = SplitMix64(seed: seed)
        // Dense, sparse, beyond 32 bits, and alike in their lower 32 bits.
        let dense = (1...UInt64(count * 2 / 3)).map { InodeNumber($0) }
        let sparse = (0..<count / 6).map { _ in InodeNumber(random.next()) }
        let high = (1...UInt64(count / 6)).map { InodeNumber($0 + 1 << 32 * ($0 % 3)) }
        let numbers = Array(Set(dense + sparse + high)).sorted()
        self.numbers = numbers
        directories = (0..<6).map { numbers[$0 * (numbers.count / 6)] }
        names = (0..<nameCount).map { Self.name($0, &random) }
        handles = (0..<count * 2).map { number in
            let tail = [UInt8(number & 255), UInt8(number >> 8)] + random.bytes(6)
            switch number % 20 {
            case 17: return StableHandle(bytes: [2, 0, 0, 0] + tail)
            case 18: return StableHandle(bytes: [1, 0, 0, 0] + tail + tail)
            case 19: return StableHandle(bytes: Array(tail.prefix(2 + number % 3)))
            default: return StableHandle(bytes: [1, 0, 0, 0] + tail)
            }
        }
        self.random = random
    }

    private static func name(_ number: Int, _ random: inout SplitMix64) -> Name {
        switch number % 5 {
        case 0: Name(unchecked: [UInt8](repeating: 97, count: 254) + [UInt8(number & 255)])
        case 1: Name(unchecked: [UInt8(1 + number % 40)])
        case 2: Name(unchecked: random.bytes(1 + random.below(255)).map { $0 == 0 || $0 == 0x2F ? 1 : $0 })
        default: Name(unchecked: Array("segment-\(number).db".utf8))
        }
    }

    mutating func change() {
        let inode = numbers[random.below(numbers.count)]
        switch random.below(10) {
        case 0, 1: if model.contains(inode) { remove(inode) } else { add(inode) }
        case 2: if !model.contains(inode) { add(inode) }
        case 3:
            let attributes = attributes()
            tree.setAttributes(attributes, of: inode)
            model.setAttributes(attributes, of: inode)
        case 4:
            let kind = Self.kinds[random.below(Self.kinds.count)]
            tree.setKind(kind, of: inode)
            model.setKind(kind, of: inode)
        case 5: setDigests(inode)
        case 6:
            let attributes = random.chance(50) ? [:] : [Name(unchecked: [120]): random.bytes(5), names[0]: random.bytes(9)]
            tree.setExtendedAttributes(attributes, of: inode)
            model.setExtendedAttributes(attributes, of: inode)
        case 7:
            // A rename, within a directory or out of it.
            let place = model.place(of: inode) ?? (.root, names[0])
            guard model.target(of: place.name, in: place.parent) == inode else { return }
            set(place.parent, place.name, nil)
            set(random.chance(50) ? place.parent : directory(), names[random.below(names.count)], inode)
        default:
            set(directory(), names[random.below(names.count)], random.chance(70) ? inode : nil)
        }
    }

    private mutating func directory() -> InodeNumber { directories[random.below(directories.count)] }

    private mutating func attributes() -> Attributes {
        let size = random.chance(50) ? 10_000 : UInt64(random.below(30_000))
        let moment = Instant(nanoseconds: Int64(truncatingIfNeeded: random.next()))
        return Attributes(
            mode: random.chance(30) ? 0o040755 : 0o100644, links: UInt32(random.below(3)), owner: UInt32(random.below(2)), size: size,
            modified: moment, changed: random.chance(50) ? moment : .distantFuture)
    }

    private mutating func add(_ inode: InodeNumber) {
        let (handle, attributes, kind) = (handles[random.below(handles.count)], attributes(), Self.kinds[random.below(Self.kinds.count)])
        tree.add(inode, handle, attributes, kind)
        model.add(inode, handle, attributes, kind)
    }

    private mutating func remove(_ inode: InodeNumber) {
        for (name, _) in model.entries(of: inode) { set(inode, name, nil) }
        for parent in directories { for (name, target) in model.entries(of: parent) where target == inode { set(parent, name, nil) } }
        tree.remove(inode)
        model.remove(inode)
    }

    private mutating func set(_ parent: InodeNumber, _ name: Name, _ target: InodeNumber?) {
        let (before, old) = (tree.setEntry(parent, name, target), model.setEntry(parent, name, target))
        #expect(before == old)
    }

    private mutating func setDigests(_ inode: InodeNumber) {
        let size = random.chance(60) ? model[inode]?.size ?? 0 : UInt64(random.below(20_000))
        let content = random.bytes(Int(size))
        var digests: ContentDigests?
        switch random.below(4) {
        case 0: digests = nil
        case 1: digests = ContentDigests(unseen: size)
        case let way:
            var taken = tree.digests(of: inode) ?? ContentDigests()
            taken.cut(to: 0)
            _ = content.withUnsafeBytes { taken.take($0, at: 0) }
            if way == 2 { taken.forgetAllButTail() }
            digests = taken
        }
        contents[inode] = content
        tree.setDigests(digests, of: inode)
        model.setDigests(digests, of: inode)
    }

    mutating func removeEverything() {
        for parent in directories { for (name, _) in model.entries(of: parent) { set(parent, name, nil) } }
        for inode in numbers {
            tree.remove(inode)
            model.remove(inode)
        }
    }

    // MARK: Comparing

    // Macros copy what they show, and the tree cannot be copied: it is asked outside of them.

    /// Neither a record, nor anything that points to one.
    func expectNothingIsLeft() {
        let counts = [
            tree.count, tree.byNumber.count, tree.byHandle.count, tree.byName.count, tree.newestAlias.count, tree.otherDigests.count,
            tree.extendedAttributes.count,
        ]
        #expect(counts.allSatisfy { $0 == 0 }, "\(counts)")
    }

    func compare(_ when: String) {
        expect(tree.count, model.count, when)
        var places: [InodeNumber: Set<Tick.Place>] = [:]
        for inode in numbers {
            let entries = model.entries(of: inode)
            for (name, target) in entries { places[target, default: []].insert(Tick.Place(parent: inode, name: name)) }
            let found = tree.entries(of: inode)
            #expect(found.count == entries.count, "\(when): \(inode)")
            for (name, target) in entries { #expect(found.contains { $0 == (name, target) }, "\(when): \(inode)") }
        }
        for directory in directories {
            for name in names { expect(tree.target(of: name, in: directory), model.target(of: name, in: directory), "\(when): \(directory)") }
        }
        for inode in numbers { compare(inode, places[inode] ?? [], when) }
        for handle in handles { expect(tree.number(of: handle), model.number(of: handle), "\(when): \(handle)") }
    }

    private func expect<Value: Equatable>(_ found: Value, _ wanted: Value, _ what: String) { #expect(found == wanted, "\(what)") }

    private func compare(_ inode: InodeNumber, _ places: Set<Tick.Place>, _ when: String) {
        let (node, old) = (tree[inode], model[inode])
        #expect(node?.kind == old?.kind && node?.isDirectory == old?.isDirectory && node?.size == old?.size, "\(when): \(inode)")
        #expect(node?.modified == old?.modified && node?.names == old?.names, "\(when): \(inode)")
        expect(tree.contains(inode), model.contains(inode), "\(when): \(inode)")
        expect(tree.handle(of: inode), model.handle(of: inode), "\(when): \(inode)")
        expect(tree.extendedAttributes(of: inode), model.extendedAttributes(of: inode), "\(when): \(inode)")
        compareDigests(inode, when)
        guard let old, let node else { return }
        #expect(node.isLogged(as: old.attributes), "\(when): \(inode)")
        var other = old.attributes
        other.changed = Instant(nanoseconds: other.changed.nanoseconds ^ 1)
        #expect(!node.isLogged(as: other), "\(when): \(inode)")
        let place = tree.place(of: inode).map { Tick.Place(parent: $0.parent, name: $0.name) }
        #expect(place.map { places.contains($0) } ?? places.isEmpty, "\(when): \(inode)")
        guard let path = tree.path(of: inode) else { return }
        let end = path.reduce(Optional(InodeNumber.root)) { parent, name in parent.flatMap { model.target(of: name, in: $0) } }
        #expect(end == inode, "\(when): \(inode)")
    }

    /// As the same bytes show them, and one byte more.
    private func compareDigests(_ inode: InodeNumber, _ when: String) {
        let content = contents[inode] ?? []
        guard var digests = tree.digests(of: inode), var old = model.digests(of: inode) else {
            expect(tree.digests(of: inode) == nil, model.digests(of: inode) == nil, "\(when): \(inode)")
            return
        }
        #expect(digests.length == old.length && digests.tailStart == old.tailStart, "\(when): \(inode)")
        if content.count >= Int(digests.length) {
            let tail = content[Int(digests.tailStart)...]
            #expect(tail.withUnsafeBytes { digests.matchesTail($0) } == tail.withUnsafeBytes { old.matchesTail($0) }, "\(when): \(inode)")
        }
        let more = content + [1]
        #expect(more.withUnsafeBytes { digests.take($0, at: 0) } == more.withUnsafeBytes { old.take($0, at: 0) }, "\(when): \(inode)")
    }
}
