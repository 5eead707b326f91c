package import AsofCore

/// Random transactions over a few inodes and names, with the model they lead to. The same seed gives the same history.
///
/// What producers of the log promise holds here, too: the root is born first; inode numbers are never given twice; a transaction that
/// truncates or zeroes an inode also says its attributes; a new file takes the place of another name only in `.reconcile`.
package struct RandomHistory {
    package private(set) var model = HistoryModel()
    package private(set) var lsn = LSN.zero
    package private(set) var time = Instant(nanoseconds: 1_700_000_000_000_000_000)
    package private(set) var highestInode = InodeNumber(1)

    private var random: SplitMix64
    private var operations: [Operation] = []
    private var payload: [UInt8] = []
    /// The share of writes, in a hundred, that are longer than a frame.
    private let longWrites: Int

    package struct Step: Sendable {
        package var transaction: Transaction
        package var payload: [UInt8]
    }

    package init(seed: UInt64, longWrites: Int = 3) {
        random = SplitMix64(seed: seed)
        self.longWrites = longWrites
    }

    /// Another future of a history that another seed began. `highestInode`: numbers above it are free.
    package init(seed: UInt64, longWrites: Int = 3, after model: HistoryModel, _ lsn: LSN, _ time: Instant, highestInode: InodeNumber) {
        self.init(seed: seed, longWrites: longWrites)
        (self.model, self.lsn, self.time, self.highestInode) = (model, lsn, time, highestInode)
    }

    package static let names: [Name] = {
        let odd: [[UInt8]] = [
            [0xFF], [0x61, 0xFE, 0x0A], [0x20], Array("…".utf8), [UInt8](repeating: 0x7A, count: 255), [0x2E, 0x2E, 0x2E], [0x01, 0x80],
        ]
        return (["a", "ab", "abc", "b", "main.db", "segment-1.wal"].compactMap { Name($0) }) + odd.compactMap { Name($0) }
    }()

    package mutating func next() -> Step {
        operations = []
        payload = []
        time = time.advanced(byNanoseconds: random.chance(20) ? 0 : Int64(random.below(2_000_000_000)))
        let verb: Verb
        if lsn == .zero {
            emit(.attributes(.root, attributes(0o040755, links: 2), isBorn: true))
            verb = .reconcile
        } else {
            verb = step()
        }
        lsn = lsn.next
        return Step(transaction: Transaction(lsn: lsn, time: time, verb: verb, operations: operations), payload: payload)
    }

    // MARK: Steps

    private mutating func step() -> Verb {
        switch random.below(100) {
        case ..<16: create(0o100644, .create)
        case ..<22: create(0o040755, .mkdir)
        case ..<25: create(0o120777, .symlink)
        case ..<27: create(random.chance(50) ? 0o010600 : 0o020600, .mknod)
        case ..<54: write()
        case ..<62: truncate()
        case ..<69: zero()
        case ..<76: unlink()
        case ..<79: link()
        case ..<86: rename()
        case ..<91: extendedAttribute()
        case ..<93: change()
        case ..<95: replace()
        case ..<96: writeToTheDead()
        case ..<99: writeAhead()
        default: .setattr
        }
    }

    private mutating func create(_ mode: UInt32, _ verb: Verb) -> Verb {
        guard let directory = random.pick(live(0o040000)) else { return .setattr }
        let used = model.inodes[directory]?.entries ?? [:]
        guard let name = random.pick(Self.names.filter { used[$0] == nil }) else { return .setattr }
        let inode = birth(mode, named: name, in: directory)
        if mode & 0o170000 == 0o120000 { emit(.symbolicLink(inode, target: random.bytes(1 + random.below(40)))) }
        // A file may be written in the transaction that makes it.
        if mode & 0o170000 == 0o100000, random.chance(20) { writes(to: inode) }
        return verb
    }

    private mutating func birth(_ mode: UInt32, named name: Name, in directory: InodeNumber) -> InodeNumber {
        highestInode = InodeNumber(highestInode.rawValue + 1 + (random.chance(10) ? UInt64(random.below(1000)) : 0))
        let inode = highestInode
        let born = Operation.attributes(inode, attributes(mode, links: mode & 0o040000 != 0 ? 2 : 1), isBorn: true)
        let entry = Operation.entry(parent: directory, name: name, target: inode)
        for operation in random.chance(80) ? [born, entry] : [entry, born] { emit(operation) }
        if random.chance(70) { touch(directory) }
        return inode
    }

    private mutating func write() -> Verb {
        guard let file = random.pick(live(0o100000)) else { return .setattr }
        writes(to: file)
        if random.chance(15), let other = random.pick(live(0o100000)) { writes(to: other) }
        return .write
    }

    private mutating func writes(to file: InodeNumber) {
        var end: UInt64 = 0
        for _ in 0...(random.chance(25) ? random.below(4) : 0) {
            let offset = place(in: file)
            let count = random.chance(longWrites) ? 200_000 + random.below(500_000) : random.below(random.chance(20) ? 20_000 : 300)
            emit(.write(file, offset: offset, length: count), content(count))
            if count > 0 { end = max(end, offset + UInt64(count)) }
        }
        setSize(of: file) { max($0, end) }
    }

    /// Bytes arrive before the size that shows them, as when a directory is compared with the log.
    private mutating func writeAhead() -> Verb {
        guard let file = random.pick(live(0o100000)), let size = model.attributes(of: file)?.size else { return .setattr }
        emit(.write(file, offset: size + UInt64(random.below(5000)), length: 100), content(100))
        return .reconcile
    }

    private mutating func truncate() -> Verb {
        guard let file = random.pick(live(0o100000)) else { return .setattr }
        let size = random.chance(25) ? 0 : place(in: file)
        emit(.truncate(file, size: size))
        // Cut and grown again in one transaction: what was behind the cut must not come back.
        let grown = random.chance(20) ? size + UInt64(random.below(10_000)) : size
        setSize(of: file) { _ in grown }
        return .truncate
    }

    private mutating func zero() -> Verb {
        guard let file = random.pick(live(0o100000)) else { return .setattr }
        let offset = place(in: file)
        let length: UInt64
        switch random.below(10) {
        case 0: length = 300 << 20
        case 1: length = 5 << 20
        default: length = UInt64(random.below(20_000))
        }
        let grows = random.chance(30)
        emit(.zero(file, offset: offset, length: length))
        setSize(of: file) { grows ? max($0, offset + length) : $0 }
        return .punch
    }

    private mutating func unlink() -> Verb {
        guard let (directory, name, target) = randomEntry() else { return .setattr }
        if isDirectory(target), !(model.inodes[target]?.entries ?? [:]).isEmpty { return change() }
        emit(.entry(parent: directory, name: name, target: nil))
        lose(target)
        touch(directory)
        return .unlink
    }

    private mutating func link() -> Verb {
        guard let file = random.pick(live(0o100000)), let directory = random.pick(live(0o040000)),
            var attributes = model.attributes(of: file)
        else { return .setattr }
        let used = model.inodes[directory]?.entries ?? [:]
        guard let name = random.pick(Self.names.filter { used[$0] == nil }) else { return .setattr }
        attributes.links += 1
        emit(.entry(parent: directory, name: name, target: file))
        emit(.attributes(file, attributes, isBorn: false))
        return .link
    }

    private mutating func rename() -> Verb {
        guard let (from, name, target) = randomEntry(), let to = random.pick(live(0o040000)), let newName = random.pick(Self.names),
            !isDirectory(target) || !isBelow(to, target)
        else { return .setattr }
        let replaced = model.inodes[to]?.entries[newName]
        if replaced == target { return .rename }
        if random.chance(20), let replaced, !isDirectory(replaced), !isDirectory(target) {
            emit(.entry(parent: from, name: name, target: replaced))
            emit(.entry(parent: to, name: newName, target: target))
            return .exchange
        }
        if let replaced, isDirectory(replaced), !(model.inodes[replaced]?.entries ?? [:]).isEmpty || isBelow(to, replaced) { return .setattr }
        emit(.entry(parent: from, name: name, target: nil))
        emit(.entry(parent: to, name: newName, target: target))
        if let replaced { lose(replaced) }
        touch(target)
        return .rename
    }

    /// As a comparison finds it: the name means another, new file now.
    private mutating func replace() -> Verb {
        guard let (directory, name, target) = randomEntry(), !isDirectory(target) else { return .setattr }
        let inode = birth(0o100600, named: name, in: directory)
        if random.chance(50) { writes(to: inode) }
        lose(target)
        return .reconcile
    }

    private mutating func extendedAttribute() -> Verb {
        guard let inode = random.pick(model.inodes.keys.sorted().filter { model.attributes(of: $0) != nil }) else { return .setattr }
        let name = random.chance(50) ? "user.a" : random.chance(50) ? "user.b/c" : "security.é"
        let value = random.chance(40) ? nil : random.bytes(random.below(random.chance(10) ? 5000 : 20))
        emit(.extendedAttribute(inode, name: Name(unchecked: Array(name.utf8)), value: value))
        return value == nil ? .removexattr : .setxattr
    }

    private mutating func change() -> Verb {
        guard let inode = random.pick(model.inodes.keys.sorted()), var attributes = model.attributes(of: inode) else { return .chmod }
        switch random.below(5) {
        case 0: attributes.mode ^= 0o111
        case 1: attributes.owner = UInt32(truncatingIfNeeded: random.next())
        case 2: attributes.modified = Instant(nanoseconds: Int64(truncatingIfNeeded: random.next()))
        case 3: attributes.device = random.next()
        default: break
        }
        emit(.attributes(inode, attributes, isBorn: false))
        return .chmod
    }

    /// An open file that has no name any more.
    private mutating func writeToTheDead() -> Verb {
        guard let inode = random.pick(model.inodes.keys.sorted().filter { model.attributes(of: $0) == nil }),
            var attributes = model.inodes[inode]?.attributes
        else { return .write }
        emit(.write(inode, offset: 10, length: 20), content(20))
        attributes.size = max(attributes.size, 30)
        if random.chance(50) { emit(.attributes(inode, attributes, isBorn: false)) }
        return .write
    }

    // MARK: Parts

    /// Adds the operation and applies it, so that the rest of the transaction sees it.
    private mutating func emit(_ operation: Operation, _ bytes: [UInt8] = []) {
        operations.append(operation)
        payload += bytes
        model.apply([operation], payload: bytes)
    }

    private mutating func setSize(of file: InodeNumber, _ size: (UInt64) -> UInt64) {
        guard var attributes = model.inodes[file]?.attributes else { return }
        attributes.size = size(attributes.size)
        attributes.modified = time
        attributes.changed = random.chance(90) ? time : time.advanced(byNanoseconds: 5)
        emit(.attributes(file, attributes, isBorn: false))
    }

    private mutating func touch(_ inode: InodeNumber) {
        guard var attributes = model.attributes(of: inode) else { return }
        attributes.modified = time
        attributes.changed = time
        emit(.attributes(inode, attributes, isBorn: false))
    }

    private mutating func lose(_ inode: InodeNumber) {
        guard var attributes = model.attributes(of: inode) else { return }
        attributes.links = attributes.isDirectory ? 0 : attributes.links - 1
        attributes.changed = time
        emit(.attributes(inode, attributes, isBorn: false))
    }

    private func attributes(_ mode: UInt32, links: UInt32) -> Attributes {
        Attributes(mode: mode, links: links, owner: 1000, group: 1000, modified: time, changed: time)
    }

    /// Offsets where something can go wrong: near frames' and chunks' ends, near what is there, near the file's end.
    private mutating func place(in file: InodeNumber) -> UInt64 {
        let bases: [UInt64] = [0, 0, 0, 4096, 256 << 10, 512 << 10, 4 << 20, 4 << 20, 8 << 20, 4 << 20 - 256 << 10]
        let size = model.inodes[file]?.attributes?.size ?? 0
        let base = random.chance(30) ? size : (random.pick(bases) ?? 0)
        let delta = UInt64(random.below(random.chance(30) ? 6000 : 120))
        return random.chance(40) ? base - min(base, delta) : base + delta
    }

    private mutating func content(_ count: Int) -> [UInt8] {
        if count < 4096 || random.chance(30) { return random.bytes(count) }
        // Compressible, and different everywhere.
        let word = random.bytes(16)
        return (0..<count).map { word[$0 & 15] &+ UInt8(truncatingIfNeeded: $0 >> 8) &+ UInt8(truncatingIfNeeded: $0 >> 16) }
    }

    private func live(_ type: UInt32) -> [InodeNumber] {
        model.inodes.keys.sorted().filter { (model.attributes(of: $0)?.mode ?? 0) & 0o170000 == type }
    }

    private func isDirectory(_ inode: InodeNumber) -> Bool { model.attributes(of: inode)?.isDirectory ?? false }

    private mutating func randomEntry() -> (directory: InodeNumber, name: Name, target: InodeNumber)? {
        guard let directory = random.pick(live(0o040000)), let entries = model.inodes[directory]?.entries,
            let name = random.pick(entries.keys.sorted()), let target = entries[name]
        else { return nil }
        return (directory, name, target)
    }

    /// True when `inode` is `ancestor` or stands below it.
    private func isBelow(_ inode: InodeNumber, _ ancestor: InodeNumber) -> Bool {
        if inode == ancestor { return true }
        return (model.inodes[ancestor]?.entries.values ?? [:].values).contains { isDirectory($0) && isBelow(inode, $0) }
    }
}
