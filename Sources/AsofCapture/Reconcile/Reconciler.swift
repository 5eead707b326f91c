internal import AsofCore
internal import AsofFileSystem
internal import AsofFormat
internal import AsofRepository
internal import AsofSystem
internal import AsofView
internal import Glibc
internal import Synchronization

/// Compares the backing directory with what the log says of it, and logs the differences: the first scan, and what a crash or a time without
/// capture left. Works behind the mount: each file's lock is held for one piece at a time, and what is logged is absolute and by inode, so
/// the log is exact once everything was visited.
final class Reconciler: Sendable {
    /// What was found.
    struct Outcome: Sendable {
        /// Files and directories visited.
        var visited = 0
        /// Those that the log described otherwise, the root left out.
        var different = 0
        /// Those of them that no change in flight at a crash explains.
        var unexplained = 0
        /// Bytes read to compare or to log.
        var bytes: UInt64 = 0
        /// Transactions logged for the differences.
        var transactions = 0
    }

    private static let pieceLength = FrameBounds.payloadMax

    private let table: NodeTable
    private let journal: Journal
    private let known: View?
    private let suspicion: CaptureSession.Suspicion
    /// True: stop soon; what was compared stays compared, the rest is repeated by the next start.
    private let isCancelled = Atomic<Bool>(false)
    private let progress = Lock<Outcome>(Outcome())
    /// New in directories that a change was in flight in: that change explains them.
    private let explained = Lock<Set<InodeNumber>>([])
    /// True: the log is too far behind to read on.
    private let isBehind: @Sendable () -> Bool
    private let unreadable: UnreadableLog

    init(
        table: NodeTable, journal: Journal, known: View?, suspicion: CaptureSession.Suspicion, unreadable: UnreadableLog,
        isBehind: @escaping @Sendable () -> Bool
    ) {
        self.unreadable = unreadable
        self.table = table
        self.journal = journal
        self.known = known
        self.suspicion = suspicion
        self.isBehind = isBehind
    }

    var outcome: Outcome { progress.withLock { $0 } }
    func cancel() { isCancelled.store(true, ordering: .relaxed) }

    /// Visits everything. Returns nil when cancelled.
    func run() throws(AsofError) -> Outcome? {
        var removed: Set<InodeNumber> = []
        repeat {
            var stack = table.takeDiscovered()
            while let node = stack.popLast() {
                defer { table.release(node) }
                guard !isCancelled.load(ordering: .relaxed) else {
                    for rest in stack { table.release(rest) }
                    return nil
                }
                guard table.isUnsettled(node.inode) else { continue }
                if node.isDirectory {
                    stack.append(contentsOf: try directory(node, removed: &removed))
                } else {
                    try file(node)
                }
                stack.append(contentsOf: table.takeDiscovered())
            }
            try bury(removed)
            removed = []
            if isCancelled.load(ordering: .relaxed) { return nil }
        } while !table.finishComparison()
        return outcome
    }

    private func calling<Value>(_ what: @autoclosure () -> String, _ body: () throws(Errno) -> Value) throws(AsofError) -> Value {
        do throws(Errno) { return try body() } catch { throw AsofError(error, "cannot read \(what()) while comparing the directory") }
    }

    // MARK: Directories

    /// Logs a directory's names and attributes where they differ; returns its children that are to be visited, each used once.
    private func directory(_ node: RecordedNode, removed: inout Set<InodeNumber>) throws(AsofError) -> [RecordedNode] {
        var children: [RecordedNode] = []
        var lost: [InodeNumber] = []
        try node.lock.withLock { _ throws(AsofError) in
            guard !node.isGoneLocked else { return table.settle(node.inode) }
            var old: [Name: InodeNumber] = [:]
            for entry in try known?.entries(of: node.inode) ?? [] { old[entry.name] = entry.inode }
            var operations: [Operation] = []
            let reader = try calling("a directory") { () throws(Errno) in
                DirectoryReader(SharedDescriptor(try SystemCall.reopen(node.raw, O_RDONLY | O_DIRECTORY)))
            }
            while let entry = try calling("a directory", { () throws(Errno) in try reader.next() }) {
                guard !NodeTable.isLeftOut(entry.name, in: node) else { continue }
                let child = try calling(entry.name.description) { () throws(Errno) in try table.resolve(entry.name, in: node).node }
                let before = old.removeValue(forKey: entry.name)
                if before != child.inode {
                    if suspicion.inFlight.contains(node.inode) { explained.withLock { _ = $0.insert(child.inode) } }
                    // A name that meant something else is taken away first, so that it never counts as new.
                    if before != nil { operations.append(.entry(parent: node.inode, name: entry.name, target: nil)) }
                    operations.append(.entry(parent: node.inode, name: entry.name, target: child.inode))
                    if let before { lost.append(before) }
                }
                children.append(child)
                if operations.count >= 4096 { try log(&operations, node) }
            }
            for (name, inode) in old {
                operations.append(.entry(parent: node.inode, name: name, target: nil))
                lost.append(inode)
                if operations.count >= 4096 { try log(&operations, node) }
            }
            try compareAttributes(node, size: nil, &operations)
            let isDifferent = !operations.isEmpty
            try log(&operations, node)
            count(node, isDifferent: isDifferent)
            table.settle(node.inode)
        }
        removed.formUnion(lost)
        return children
    }

    /// Inodes whose names went and that were found nowhere else are gone, and what was below them, too.
    private func bury(_ lost: Set<InodeNumber>) throws(AsofError) {
        guard let known else { return }
        var stack = Array(lost)
        while let inode = stack.popLast() {
            guard !table.wasFound(inode), var attributes = try known.attributes(of: inode) else { continue }
            if attributes.isDirectory { for entry in try known.entries(of: inode) { stack.append(entry.inode) } }
            attributes.links = 0
            var operations: [Operation] = [.attributes(inode, attributes, isBorn: false)]
            try log(&operations, nil)
        }
    }

    // MARK: Files

    private func file(_ node: RecordedNode) throws(AsofError) {
        let old = try known?.attributes(of: node.inode)
        let start = try calling("a file") { () throws(Errno) in try node.status() }.attributes
        let isSuspect = suspicion.inFlight.contains(node.inode) || max(start.modified, start.changed) >= suspicion.changedSince
        let isSame = old == start
        guard !isSame || isSuspect else {
            count(node, isDifferent: false)
            return table.settle(node.inode)
        }
        var isDifferent = !isSame
        if start.isRegular {
            if let old, old.size < start.size {
                // What a follower logged behind this end, ahead of a tick that never was, does not count.
                var void: [Operation] = [.truncate(node.inode, size: old.size)]
                try node.lock.withLock { _ throws(AsofError) in try log(&void, node) }
            }
            isDifferent = try contents(node, old: old) || isDifferent
        }
        // What was not read to its end is read again by the next start.
        guard !isCancelled.load(ordering: .relaxed) else { return }
        try node.lock.withLock { _ throws(AsofError) in
            guard !node.isGoneLocked else { return }
            var operations: [Operation] = []
            if start.kind == .symbolicLink {
                let target = try calling("a symbolic link") { () throws(Errno) in try SystemCall.readLink(at: node.raw, "") }
                if try known?.symbolicLink(node.inode) != target { operations.append(.symbolicLink(node.inode, target: target)) }
            }
            try compareAttributes(node, size: old?.size, &operations)
            try log(&operations, node)
        }
        count(node, isDifferent: isDifferent)
        table.settle(node.inode)
    }

    /// Logs the pieces of a file that the log has otherwise; true when there were any.
    private func contents(_ node: RecordedNode, old: Attributes?) throws(AsofError) -> Bool {
        let descriptor: SharedDescriptor
        do throws(Errno) { descriptor = SharedDescriptor(try SystemCall.reopen(node.raw, O_RDONLY)) } catch {
            if error.rawValue == ENOENT { return false }
            throw AsofError(error, "cannot read a file while comparing the directory")
        }
        let space = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * Self.pieceLength, alignment: 4096)
        defer { space.deallocate() }
        let now = UnsafeMutableRawBufferPointer(rebasing: space[..<Self.pieceLength])
        let then = UnsafeMutableRawBufferPointer(rebasing: space[Self.pieceLength...])
        var offset: UInt64 = 0
        var isDifferent = false
        while true {
            while isBehind(), !isCancelled.load(ordering: .relaxed) { SystemClock.sleep(.milliseconds(20)) }
            if isCancelled.load(ordering: .relaxed) { return isDifferent }
            let count = try node.lock.withLock { _ throws(AsofError) in
                guard !node.isGoneLocked else { return 0 }
                let count = try descriptor.withRaw { raw throws(AsofError) in
                    try calling("a file") { () throws(Errno) in try SystemCall.readFully(raw, at: offset, into: now) }
                }
                guard count > 0 else { return 0 }
                let isReadable = try unreadable.passing { () throws(AsofError) in
                    let known = try self.known.map { known throws(AsofError) in
                        try known.read(node.inode, size: old?.size ?? 0, offset: offset, into: UnsafeMutableRawBufferPointer(rebasing: then[..<count]))
                    } ?? 0
                    // What the log does not have reads as zero.
                    if known < count { then[known..<count].initializeMemory(as: UInt8.self, repeating: 0) }
                }
                if let left = now.baseAddress, let right = then.baseAddress, !isReadable || memcmp(left, right, count) != 0 {
                    let piece = UnsafeRawBufferPointer(rebasing: now[..<count])
                    try journal.references.rescue(node, offset..<offset + UInt64(count), into: journal)
                    let file = journal.references.file(of: node, in: table, length: count)
                    let intent = try journal.begin([node.inode], payload: file == nil ? piece : UnsafeRawBufferPointer(rebasing: piece[..<0]))
                    let reference = file.map { journal.references.add(intent.position, $0, offset: offset, piece) }
                    try journal.commit(intent, .reconcile, reference: reference, [.write(node.inode, offset: offset, length: count)])
                    progress.withLock { $0.transactions += 1 }
                    isDifferent = true
                }
                progress.withLock { $0.bytes += UInt64(count) }
                return count
            }
            guard count > 0 else { return isDifferent }
            offset += UInt64(count)
        }
    }

    /// Appends what differs in attributes and extended attributes; `size`: what the log had, to cut off what is behind the end now.
    private func compareAttributes(_ node: RecordedNode, size: UInt64?, _ operations: inout [Operation]) throws(AsofError) {
        let attributes = try calling("a file") { () throws(Errno) in try node.status() }.attributes
        guard attributes.links > 0 else { return }
        if let size, attributes.isRegular, attributes.size < size { operations.append(.truncate(node.inode, size: attributes.size)) }
        var old = try known?.extendedAttributes(of: node.inode) ?? [:]
        for (name, value) in try calling("extended attributes", { () throws(Errno) in try extendedAttributes(node) }) {
            if old.removeValue(forKey: name) != value { operations.append(.extendedAttribute(node.inode, name: name, value: value)) }
        }
        for name in old.keys { operations.append(.extendedAttribute(node.inode, name: name, value: nil)) }
        if try known?.attributes(of: node.inode) != attributes { operations.append(.attributes(node.inode, attributes, isBorn: false)) }
    }

    private func extendedAttributes(_ node: RecordedNode) throws(Errno) -> [(Name, [UInt8])] {
        let names: [[UInt8]]
        do throws(Errno) { names = try SystemCall.extendedAttributeNames(node.raw) } catch {
            if error.rawValue == EOPNOTSUPP || error.rawValue == EPERM { return [] }
            throw error
        }
        return names.map(Name.init(unchecked:)).filter { !OwnAttributes.have($0, of: node.inode) }.compactMap { name in
            (try? SystemCall.extendedAttribute(node.raw, name)).map { (name, $0) }
        }
    }

    // MARK: Logging

    private func log(_ operations: inout [Operation], _ node: RecordedNode?) throws(AsofError) {
        guard !operations.isEmpty else { return }
        let intent = try journal.begin(node.map { [$0.inode] } ?? [])
        try journal.commit(intent, .reconcile, operations)
        operations = []
        progress.withLock { $0.transactions += 1 }
    }

    private func count(_ node: RecordedNode, isDifferent: Bool) {
        let isExplained = suspicion.inFlight.contains(node.inode) || explained.withLock { $0.contains(node.inode) }
        progress.withLock { progress in
            progress.visited += 1
            guard isDifferent else { return }
            progress.different += 1
            if !isExplained { progress.unexplained += 1 }
        }
    }
}
