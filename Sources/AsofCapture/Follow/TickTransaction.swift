internal import AsofCore
internal import AsofSystem

/// Makes one transaction of a tick: the difference between what the log has and what was seen in the stop.
struct TickTransaction {
    private(set) var operations: [Operation] = []
    /// New files with a name that were not looked at: the transaction must not be logged.
    private(set) var unseen: [InodeNumber] = []
    /// What is gone.
    private(set) var gone: [InodeNumber] = []
    /// Directories that are gone.
    private(set) var goneDirectories: [InodeNumber] = []

    /// Takes what `tick` saw as logged in `tree`. `contents`: the operations on files' bytes, in their order.
    init(_ tick: Tick, contents: [Operation], announced: Set<InodeNumber>, _ tree: inout KnownTree) {
        bear(tick, hasContents: Set(contents.map(\.inode)), announced, tree)
        enter(tick, tree)
        operations += contents
        for (number, sighting) in tick.sightings { change(number, sighting, isNew: tick.born.contains(number), &tree) }
        bury(tick, announced, hasContents: Set(contents.map(\.inode)), &tree)
    }

    /// The directory's first state needs something to stand on, changed or not.
    mutating func touch(_ inode: InodeNumber, _ attributes: Attributes) {
        operations.append(.attributes(inode, attributes, isBorn: false))
    }

    private mutating func bear(_ tick: Tick, hasContents: Set<InodeNumber>, _ announced: Set<InodeNumber>, _ tree: borrowing KnownTree) {
        for number in tick.born where !announced.contains(number) {
            // What came and went is nobody's past.
            let hasName = (tree[number]?.names ?? 0) > 0
            guard let attributes = tick.sightings[number]?.attributes else {
                if hasName { unseen.append(number) }
                continue
            }
            guard hasName || hasContents.contains(number) else { continue }
            operations.append(.attributes(number, attributes, isBorn: true))
        }
    }

    /// What goes comes first, so that no name ever counts as new that meant something else.
    private mutating func enter(_ tick: Tick, _ tree: borrowing KnownTree) {
        var changed: [(place: Tick.Place, before: InodeNumber?, now: InodeNumber?)] = []
        for (place, before) in tick.before {
            let now = tree.target(of: place.name, in: place.parent)
            if now != before { changed.append((place, before, now)) }
        }
        for (place, before, _) in changed where before != nil { operations.append(.entry(parent: place.parent, name: place.name, target: nil)) }
        for (place, _, now) in changed { if let now { operations.append(.entry(parent: place.parent, name: place.name, target: now)) } }
    }

    private mutating func change(_ number: InodeNumber, _ sighting: Tick.Sighting, isNew: Bool, _ tree: inout KnownTree) {
        guard let attributes = sighting.attributes, let node = tree[number], node.names > 0 || number == .root else { return }
        if isNew {
            if let target = sighting.target { operations.append(.symbolicLink(number, target: target)) }
        } else if node.isLogged(as: attributes) {
            return
        }
        let old = tree.extendedAttributes(of: number)
        for (name, value) in sighting.extendedAttributes where old[name] != value {
            operations.append(.extendedAttribute(number, name: name, value: value))
        }
        for name in old.keys where sighting.extendedAttributes[name] == nil {
            operations.append(.extendedAttribute(number, name: name, value: nil))
        }
        operations.append(.attributes(number, attributes, isBorn: false))
        tree.setAttributes(attributes, of: number)
        tree.setExtendedAttributes(sighting.extendedAttributes, of: number)
    }

    /// What lost its last name is gone, and what was below it, too.
    private mutating func bury(_ tick: Tick, _ announced: Set<InodeNumber>, hasContents: Set<InodeNumber>, _ tree: inout KnownTree) {
        var stack = tick.before.values.compactMap { $0 } + tick.born
        while let number = stack.popLast() {
            guard let node = tree[number], node.names <= 0, number != .root else { continue }
            for (name, child) in tree.entries(of: number) {
                tree.setEntry(number, name, nil)
                stack.append(child)
            }
            gone.append(number)
            if node.isDirectory { goneDirectories.append(number) }
            if !tick.born.contains(number) || announced.contains(number) || hasContents.contains(number) {
                operations.append(.attributes(number, Self.gone(isDirectory: node.isDirectory), isBorn: false))
            }
            tree.remove(number)
        }
    }

    private static func gone(isDirectory: Bool) -> Attributes {
        Attributes(
            mode: isDirectory ? FileKind.directory.modeBits : FileKind.regular.modeBits, links: 0, modified: Instant(nanoseconds: 0),
            changed: Instant(nanoseconds: 0))
    }
}
