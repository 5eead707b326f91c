internal import AsofCore
internal import AsofSystem
internal import AsofWeaviate
internal import Glibc

/// Turns what a survey saw into one transaction: the difference between the tree as the log has it and as it is.
///
/// Payload goes into the journal piece by piece while it is read; the operations follow with the commit.
struct TickPlan {
    /// Bytes of payload in one piece of the journal.
    private static let pieceLength = 1 << 20

    private let journal: Journal
    private(set) var operations: [Operation] = []
    private(set) var intents: [Journal.Intent] = []
    /// Files that may be torn, for people: their names.
    private(set) var torn: [String] = []
    private(set) var bytes: UInt64 = 0

    init(journal: Journal) { self.journal = journal }

    /// The directory's first state needs something to stand on, changed or not.
    mutating func touch(_ inode: InodeNumber, _ attributes: Attributes) {
        operations.append(.attributes(inode, attributes, isBorn: false))
    }

    /// A transaction without payload stands on an intent all the same.
    mutating func begin() throws(AsofError) { if intents.isEmpty { intents.append(try journal.begin([.root])) } }

    // MARK: Names

    /// Takes the survey's names into the tree; then its files, whose contents it reads.
    mutating func take(_ survey: Survey, into tree: inout KnownTree) throws(AsofError) {
        for (number, sighting) in survey.sightings where sighting.isNew {
            tree.add(
                number,
                KnownTree.Node(
                    handle: sighting.handle, attributes: sighting.status.attributes, kind: sighting.kind, names: 0, parent: .root,
                    name: Name(unchecked: []), digests: nil))
            operations.append(.attributes(number, sighting.status.attributes, isBorn: true))
        }
        var lost: Set<InodeNumber> = []
        // What goes comes first, so that no name ever counts as new that meant something else.
        for (place, target) in survey.names {
            let before = tree.entries[place.parent]?[place.name]
            guard let before, before != target else { continue }
            operations.append(.entry(parent: place.parent, name: place.name, target: nil))
            tree.setEntry(place.parent, place.name, nil)
            lost.insert(before)
        }
        for (place, target) in survey.names {
            guard let target, tree.entries[place.parent]?[place.name] != target else { continue }
            operations.append(.entry(parent: place.parent, name: place.name, target: target))
            tree.setEntry(place.parent, place.name, target)
        }
        for (number, sighting) in survey.sightings { try take(number, sighting, into: &tree) }
        bury(lost, in: &tree)
    }

    /// What lost its last name is gone, and what was below it, too.
    private mutating func bury(_ lost: Set<InodeNumber>, in tree: inout KnownTree) {
        var stack = Array(lost)
        while let number = stack.popLast() {
            guard let node = tree[number], node.names <= 0, number != .root else { continue }
            for (name, child) in tree.entries[number] ?? [:] {
                tree.setEntry(number, name, nil)
                stack.append(child)
            }
            var attributes = node.attributes
            attributes.links = 0
            operations.append(.attributes(number, attributes, isBorn: false))
            tree.remove(number)
        }
    }

    // MARK: Files

    private mutating func take(_ number: InodeNumber, _ sighting: Survey.Sighting, into tree: inout KnownTree) throws(AsofError) {
        guard let node = tree[number] else { return }
        // Without a name it is nobody's past.
        guard node.names > 0 || number == .root else { return }
        let now = sighting.status.attributes
        let isChanged = sighting.isNew || now != node.attributes
        let isTouched = sighting.isNew || now.size != node.attributes.size || now.modified != node.attributes.modified
        let kind = sighting.kind
        let rests = node.kind.mode == .growingTemporary && kind.mode != .growingTemporary
        guard isChanged || rests || sighting.content != nil else { return }
        if now.isRegular, isTouched || rests || sighting.content != nil {
            var digests = node.digests ?? ContentDigests()
            try content(number, sighting, kind, sighting.isNew ? nil : node, isRenamedToRest: rests, &digests)
            tree.update(number) { $0.digests = digests }
        } else if sighting.isNew, now.kind == .symbolicLink {
            do throws(Errno) {
                operations.append(.symbolicLink(number, target: try SystemCall.readLink(at: sighting.descriptor.unmanaged, "")))
            } catch { throw AsofError(error, "cannot read a symbolic link") }
        }
        let extended = sighting.extendedAttributes ?? node.extendedAttributes
        for (name, value) in extended where node.extendedAttributes[name] != value {
            operations.append(.extendedAttribute(number, name: name, value: value))
        }
        for name in node.extendedAttributes.keys where extended[name] == nil {
            operations.append(.extendedAttribute(number, name: name, value: nil))
        }
        if isChanged, !sighting.isNew { operations.append(.attributes(number, now, isBorn: false)) }
        tree.update(number) {
            $0.attributes = now
            $0.kind = kind
            $0.extendedAttributes = extended
        }
    }

    // MARK: Contents

    private mutating func content(
        _ number: InodeNumber, _ sighting: Survey.Sighting, _ kind: DataFileKind, _ old: KnownTree.Node?, isRenamedToRest: Bool,
        _ digests: inout ContentDigests
    ) throws(AsofError) {
        let size = sighting.status.attributes.size
        let isCut = size < digests.length
        if isCut {
            operations.append(.truncate(number, size: size))
            digests.cut(to: size)
        }
        switch kind.mode {
        case .inPlace, .unknown:
            if let content = sighting.content, sighting.contentStart == 0, content.count == size {
                try log(number, content, at: 0, &digests)
            } else {
                try read(number, sighting, from: 0, to: size, &digests)
                torn.append("\(kind.name) of \(size) bytes")
            }
        case .growingTemporary, .appendWithPatchedHeader:
            // The first page may change until the end; it was read while nothing ran.
            if let head = sighting.content, sighting.contentStart == 0 { try log(number, head, at: 0, &digests) }
            let start = max(isCut ? 0 : digests.tailStart, UInt64(ContentDigests.pageLength))
            if start < size { try read(number, sighting, from: start, to: size, &digests) }
        case .appendOnly, .writtenOnce:
            // Rewritten, as far as can be told: all of it is read again.
            var start = digests.tailStart
            let hasTail = try hasTail(sighting, digests)
            let isSuspect = isCut || isRenamedToRest || old?.attributes.size == size || !hasTail
            if isSuspect { start = 0 }
            if let content = sighting.content, sighting.contentStart == start, start + UInt64(content.count) == size {
                try log(number, content, at: start, &digests)
                start = size
            }
            if start < size { try read(number, sighting, from: start, to: size, &digests) }
            digests.forgetAllButTail()
        }
    }

    private func hasTail(_ sighting: Survey.Sighting, _ digests: ContentDigests) throws(AsofError) -> Bool {
        guard digests.length > digests.tailStart else { return true }
        if let content = sighting.content, sighting.contentStart == digests.tailStart {
            return content.withUnsafeBytes { digests.matchesTail($0) }
        }
        let bytes = try Self.read(sighting, at: digests.tailStart, length: ContentDigests.pageLength)
        return bytes.withUnsafeBytes { digests.matchesTail($0) }
    }

    /// Logs what is not as it was in the file's bytes from `start`, the begin of a page, to `end`.
    private mutating func read(
        _ number: InodeNumber, _ sighting: Survey.Sighting, from start: UInt64, to end: UInt64, _ digests: inout ContentDigests
    ) throws(AsofError) {
        var offset = start
        while offset < end {
            let wanted = Int(min(UInt64(Self.pieceLength), end - offset))
            let bytes = try Self.read(sighting, at: offset, length: wanted)
            try log(number, bytes, at: offset, &digests)
            guard bytes.count == wanted else {
                // It was cut off since the stop; the next tick sees that.
                torn.append("\(sighting.kind.name), shorter than it was")
                return
            }
            offset += UInt64(bytes.count)
        }
    }

    private mutating func log(_ number: InodeNumber, _ bytes: [UInt8], at offset: UInt64, _ digests: inout ContentDigests) throws(AsofError) {
        for range in bytes.withUnsafeBytes({ digests.take($0, at: offset) }) {
            var start = range.lowerBound
            while start < range.upperBound {
                let end = min(start + Self.pieceLength, range.upperBound)
                let intent = try bytes.withUnsafeBufferPointer { buffer throws(AsofError) in
                    try journal.begin([number], payload: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[start..<end]))
                }
                intents.append(intent)
                operations.append(.write(number, offset: offset + UInt64(start), length: end - start))
                self.bytes += UInt64(end - start)
                start = end
            }
        }
    }

    static func read(_ sighting: Survey.Sighting, at offset: UInt64, length: Int) throws(AsofError) -> [UInt8] {
        guard let readable = sighting.readable else { return try read(sighting.descriptor, at: offset, length: length) }
        do throws(Errno) {
            return try readable.withRaw { raw throws(Errno) in try SystemCall.readFully(raw, at: offset, length: length) }
        } catch {
            throw AsofError(error, "cannot read a file of the directory")
        }
    }

    static func read(_ descriptor: SharedDescriptor, at offset: UInt64, length: Int) throws(AsofError) -> [UInt8] {
        do throws(Errno) {
            let readable = try SystemCall.reopen(descriptor.unmanaged, O_RDONLY)
            return try SystemCall.readFully(readable.raw, at: offset, length: length)
        } catch {
            throw AsofError(error, "cannot read a file of the directory")
        }
    }
}
