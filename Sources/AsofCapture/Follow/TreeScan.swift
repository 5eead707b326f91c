internal import AsofCore
internal import AsofRepository
internal import AsofSystem
internal import AsofView
internal import AsofWeaviate
internal import Glibc

/// The first look at everything, and the catch-up after a time without capture: compares the directory with the log while the server goes on,
/// and logs what differs, by inode and absolute. What it saw in the middle of a change is made right by the first tick, whose watch began
/// before a directory was listed.
///
/// Several threads take directories from a common stack. A scan that was interrupted costs the next one little: attributes are logged behind
/// a file's bytes, so what was read whole is told by them.
final class TreeScan: Sendable {
    private struct State: ~Copyable {
        var tree: KnownTree
        var stack: [(number: InodeNumber, descriptor: SharedDescriptor)]
        /// Threads that may still add to the stack.
        var busy = 0
        var found: Set<InodeNumber> = [.root]
        var lost: Set<InodeNumber> = []
        /// Files with several names, and with how many.
        var links: [InodeNumber: UInt32] = [:]
        var outcome = Reconciler.Outcome()
        var isCancelled = false
        var failure: AsofError?
    }

    private let session: CaptureSession
    private var journal: Journal { session.journal }
    private let root: SharedDescriptor
    private let watch: any TreeWatch
    private let known: View?
    private let suspicion: CaptureSession.Suspicion
    /// Files changed since then are read: times are coarse, and the newest tick may have been of the same one.
    private let trustedBefore: Instant
    private let options: ScanOptions
    private let limit: RateLimit
    private let unreadable: UnreadableLog
    private let state: Monitor<State>
    private static let pieceLength = 1 << 20

    init(_ session: CaptureSession, _ watch: any TreeWatch, _ options: ScanOptions) {
        self.session = session
        root = session.root
        known = session.known
        suspicion = session.suspicion
        trustedBefore = min(suspicion.changedSince, session.start.time.advanced(byNanoseconds: -2_000_000_000))
        self.watch = watch
        self.options = options
        limit = RateLimit(bytesPerSecond: options.rate)
        unreadable = UnreadableLog(session.report)
        state = Monitor(State(tree: KnownTree(highest: session.highestInode), stack: []))
    }

    var outcome: Reconciler.Outcome { state.withLock { $0.outcome } }

    /// Files that have names outside of the directory.
    func linkedOutside(_ tree: borrowing KnownTree) -> Set<InodeNumber> {
        var found: Set<InodeNumber> = []
        for (number, links) in state.withLock({ $0.links }) where (tree[number]?.names ?? 0) < Int(links) { found.insert(number) }
        return found
    }

    /// `progress`: called now and then on the caller's thread; false stops the scan, and then there is no tree.
    func run(progress: (Reconciler.Outcome) -> Bool) throws(AsofError) -> KnownTree? {
        let (attributes, handle) = (try Surveyor.status(of: root).attributes, try Surveyor.handle(of: root))
        state.withLock { state in
            state.tree.add(.root, handle, attributes, .unknown)
            state.stack = [(.root, root)]
        }
        var threads: [NamedThread] = []
        do throws(Errno) {
            for number in 1...max(1, options.threads) { threads.append(try NamedThread("asof-scan-\(number)") { [self] in work() }) }
        } catch {
            cancel(AsofError(error, "cannot start a thread"))
        }
        while !state.wait(timeout: .milliseconds(100), until: { $0.stack.isEmpty && $0.busy == 0 || $0.isCancelled }) {
            if !progress(outcome) { cancel(nil) }
        }
        for thread in threads { thread.join() }
        if let failure = state.withLock({ $0.failure }) { throw failure }
        guard progress(outcome), !state.withLock({ $0.isCancelled }) else { return nil }
        try bury()
        return state.withLock { state in
            var tree = KnownTree(highest: .root)
            swap(&tree, &state.tree)
            return tree
        }
    }

    private func cancel(_ failure: AsofError?) {
        state.withLock { state in
            state.isCancelled = true
            state.failure = state.failure ?? failure
        }
        state.broadcast()
    }

    private func work() {
        while true {
            _ = state.wait { !$0.stack.isEmpty || $0.busy == 0 || $0.isCancelled }
            let next = state.withLock { state -> (number: InodeNumber, descriptor: SharedDescriptor)?? in
                if state.isCancelled || state.stack.isEmpty && state.busy == 0 { return .some(nil) }
                guard let next = state.stack.popLast() else { return nil }
                state.busy += 1
                return next
            }
            guard let taken = next else { continue }
            guard let (number, descriptor) = taken else { return state.broadcast() }
            do throws(AsofError) { try look(through: number, descriptor) } catch { cancel(error) }
            state.withLock { $0.busy -= 1 }
            state.broadcast()
        }
    }

    // MARK: Directories

    /// One directory and the files in it.
    private func look(through number: InodeNumber, _ descriptor: SharedDescriptor) throws(AsofError) {
        guard try Surveyor.watch(descriptor, number, watch) else { return }
        var old: [Name: InodeNumber] = [:]
        for entry in try known?.entries(of: number) ?? [] { old[entry.name] = entry.inode }
        var operations: [Operation] = []
        let path = state.withLock { $0.tree.path(of: number) } ?? []
        for name in try Surveyor.names(in: descriptor) where !Surveyor.isLeftOut(name, in: number) {
            guard !state.withLock({ $0.isCancelled }) else { return }
            guard let opened = try open(name, descriptor) else { continue }
            let status = try Surveyor.status(of: opened)
            try Surveyor.refuseOtherFileSystem(status, root, name)
            let (attributes, handle) = (status.attributes, try Surveyor.handle(of: opened))
            let candidate = old.removeValue(forKey: name)
            // Looked up before: nobody waits for the log meanwhile.
            let candidateKind = try candidate.flatMap { candidate throws(AsofError) in try known?.attributes(of: candidate)?.kind }
            let (child, isNew) = state.withLock { state in
                let (child, isNew) = Self.number(handle, attributes, candidate, candidateKind, &state)
                if isNew { state.tree.add(child, handle, attributes, DataFileKind.of(path: path + [name])) }
                state.tree.setEntry(number, name, child)
                if let candidate, candidate != child { state.lost.insert(candidate) }
                if isNew { state.outcome.visited += 1 }
                if isNew, attributes.isRegular, attributes.links > 1 { state.links[child] = attributes.links }
                return (child, isNew)
            }
            if candidate != child {
                // A name that meant something else is taken away first, so that it never counts as new.
                if candidate != nil { operations.append(.entry(parent: number, name: name, target: nil)) }
                operations.append(.entry(parent: number, name: name, target: child))
            }
            guard isNew else { continue }
            if attributes.isDirectory {
                state.withLock { $0.stack.append((child, opened)) }
                state.signal()
            } else {
                try compare(child, opened, attributes, DataFileKind.of(path: path + [name]).mode)
            }
            if operations.count >= 4096 { try log(&operations, number) }
        }
        for (name, inode) in old {
            operations.append(.entry(parent: number, name: name, target: nil))
            state.withLock { _ = $0.lost.insert(inode) }
        }
        let attributes = try Surveyor.status(of: descriptor).attributes
        if try known?.attributes(of: number) != attributes { operations.append(.attributes(number, attributes, isBorn: false)) }
        let extended = try extendedAttributes(number, descriptor, &operations)
        state.withLock { state in
            state.tree.setAttributes(attributes, of: number)
            state.tree.setExtendedAttributes(extended, of: number)
        }
        if !operations.isEmpty { noteDifference() }
        try log(&operations, number)
    }

    /// The number that the log has for what stands under a name, when it can be the same; a new one otherwise.
    private static func number(
        _ handle: StableHandle, _ attributes: Attributes, _ candidate: InodeNumber?, _ candidateKind: FileKind?, _ state: inout State
    ) -> (InodeNumber, isNew: Bool) {
        if let number = state.tree.number(of: handle) { return (number, false) }
        if let candidate, candidateKind == attributes.kind, state.found.insert(candidate).inserted { return (candidate, true) }
        return (state.tree.nextNumber(), true)
    }

    // MARK: Files

    private func compare(_ number: InodeNumber, _ descriptor: SharedDescriptor, _ attributes: Attributes, _ mode: WriteMode) throws(AsofError) {
        let old = try known?.attributes(of: number)
        var operations: [Operation] = []
        var digests: ContentDigests?
        if attributes.isRegular {
            // Kinds that change in place say nothing by their size and times.
            let isTrusted = mode == .appendOnly || mode == .writtenOnce
            if !options.isFull, old == attributes, isTrusted, attributes.modified < trustedBefore {
                digests = try unread(descriptor, attributes, mode)
            } else {
                digests = try contents(number, descriptor, size: attributes.size, old: old)
                // Its attributes would say that it was read whole.
                guard !state.withLock({ $0.isCancelled }) else { return }
                if isTrusted { digests?.forgetAllButTail() }
            }
        } else if attributes.kind == .symbolicLink {
            do throws(Errno) {
                let target = try SystemCall.readLink(at: descriptor.unmanaged, "")
                if try symbolicLink(number) != target { operations.append(.symbolicLink(number, target: target)) }
            } catch { throw AsofError(error, "cannot read a symbolic link") }
        }
        CrashPoint.reach("follow.scan.within")
        if old != attributes { operations.append(.attributes(number, attributes, isBorn: false)) }
        let extended = try extendedAttributes(number, descriptor, &operations)
        if !operations.isEmpty { noteDifference() }
        try log(&operations, number)
        state.withLock { state in
            state.tree.setDigests(digests, of: number)
            state.tree.setExtendedAttributes(extended, of: number)
            state.tree.setAttributes(attributes, of: number)
        }
    }

    /// Of a file at rest: only its last page, which tells whether it is appended to where it ended.
    private func unread(_ descriptor: SharedDescriptor, _ attributes: Attributes, _ mode: WriteMode) throws(AsofError) -> ContentDigests {
        var digests = ContentDigests(unseen: attributes.size)
        guard mode == .appendOnly, digests.tailStart < attributes.size else { return digests }
        let tail = try read(try readable(descriptor), at: digests.tailStart, length: Int(attributes.size - digests.tailStart))
        tail.withUnsafeBytes { _ = digests.take($0, at: digests.tailStart) }
        return digests
    }

    private func symbolicLink(_ number: InodeNumber) throws(Errno) -> [UInt8]? {
        do throws(AsofError) { return try known?.symbolicLink(number) } catch { throw Errno(EIO) }
    }

    private func extendedAttributes(
        _ number: InodeNumber, _ descriptor: SharedDescriptor, _ operations: inout [Operation]
    ) throws(AsofError) -> [Name: [UInt8]] {
        let now = Surveyor.extendedAttributes(of: number, descriptor)
        let old = try known?.extendedAttributes(of: number) ?? [:]
        for (name, value) in now where old[name] != value { operations.append(.extendedAttribute(number, name: name, value: value)) }
        for name in old.keys where now[name] == nil { operations.append(.extendedAttribute(number, name: name, value: nil)) }
        return now
    }

    /// Logs the pieces that the log has otherwise.
    private func contents(
        _ number: InodeNumber, _ descriptor: SharedDescriptor, size: UInt64, old: Attributes?
    ) throws(AsofError) -> ContentDigests {
        var digests = ContentDigests()
        // What an interrupted life logged ahead behind the end that was visible is void.
        var void = old.map { [Operation.truncate(number, size: min($0.size, size))] } ?? []
        if old?.size != size { try log(&void, number) }
        guard size > 0 else { return digests }
        let readable = try readable(descriptor)
        var offset: UInt64 = 0
        while offset < size {
            guard !state.withLock({ $0.isCancelled }) else { break }
            if let end = Examination.hole(readable, at: offset, upTo: size) {
                // What the log does not know reads as zero.
                var isHole = true
                let isReadable = try unreadable.passing { () throws(AsofError) in
                    if let known, let old { isHole = try known.isHole(offset..<end, of: number, size: old.size) }
                }
                if !isReadable || !isHole {
                    var zero: [Operation] = [.zero(number, offset: offset, length: end - offset)]
                    try log(&void, number)
                    try log(&zero, number)
                }
                digests.skip(to: end)
                offset = end
                continue
            }
            while session.isFull, !state.withLock({ $0.isCancelled }) { SystemClock.sleep(.milliseconds(20)) }
            let wanted = Int(min(UInt64(Self.pieceLength), size - offset))
            limit.take(wanted)
            let bytes = try read(readable, at: offset, length: wanted)
            guard !bytes.isEmpty else { break }
            bytes.withUnsafeBytes { _ = digests.take($0, at: offset) }
            state.withLock { $0.outcome.bytes += UInt64(bytes.count) }
            if try !isKnown(number, bytes, at: offset, old) {
                try log(&void, number)
                let intent = try bytes.withUnsafeBufferPointer { buffer throws(AsofError) in
                    try journal.begin([number], payload: UnsafeRawBufferPointer(buffer))
                }
                try journal.commit([intent], .reconcile, [.write(number, offset: offset, length: bytes.count)])
                state.withLock { $0.outcome.transactions += 1 }
                noteDifference()
            }
            offset += UInt64(bytes.count)
        }
        return digests
    }

    private func isKnown(_ number: InodeNumber, _ bytes: [UInt8], at offset: UInt64, _ old: Attributes?) throws(AsofError) -> Bool {
        guard let known, let old, old.size >= offset + UInt64(bytes.count) else { return false }
        var then = [UInt8](repeating: 0, count: bytes.count)
        var count = 0
        let isReadable = try unreadable.passing { () throws(AsofError) in
            count = try then.withUnsafeMutableBufferPointer { buffer throws(AsofError) in
                try known.read(number, size: old.size, offset: offset, into: UnsafeMutableRawBufferPointer(buffer))
            }
        }
        return isReadable && count == bytes.count && then == bytes
    }

    /// Inodes whose names went and that were found nowhere else are gone, and what was below them, too.
    private func bury() throws(AsofError) {
        guard let known else { return }
        var stack = Array(state.withLock { $0.lost })
        while let inode = stack.popLast() {
            guard !state.withLock({ $0.tree.contains(inode) }), var attributes = try known.attributes(of: inode) else { continue }
            if attributes.isDirectory { for entry in try known.entries(of: inode) { stack.append(entry.inode) } }
            attributes.links = 0
            var operations: [Operation] = [.attributes(inode, attributes, isBorn: false)]
            try log(&operations, .root)
        }
    }

    private func noteDifference() {
        state.withLock { state in
            state.outcome.different += 1
            state.outcome.unexplained += 1
        }
    }

    private func log(_ operations: inout [Operation], _ number: InodeNumber) throws(AsofError) {
        guard !operations.isEmpty else { return }
        try journal.commit([try journal.begin([number])], .reconcile, operations)
        operations = []
        state.withLock { $0.outcome.transactions += 1 }
    }

    // MARK: Looking

    private func open(_ name: Name, _ directory: SharedDescriptor) throws(AsofError) -> SharedDescriptor? {
        do throws(Errno) {
            return SharedDescriptor(try SystemCall.open(at: directory.unmanaged, name, SystemCall.O_PATH | O_NOFOLLOW))
        } catch {
            if error.rawValue == ENOENT { return nil }
            throw AsofError(error, "cannot look at \(name)")
        }
    }

    private func readable(_ descriptor: SharedDescriptor) throws(AsofError) -> SharedDescriptor {
        do throws(Errno) { return SharedDescriptor(try SystemCall.reopen(descriptor.unmanaged, O_RDONLY)) } catch {
            throw AsofError(error, "cannot read a file of the directory")
        }
    }

    private func read(_ descriptor: SharedDescriptor, at offset: UInt64, length: Int) throws(AsofError) -> [UInt8] {
        do throws(Errno) { return try SystemCall.readFully(descriptor.unmanaged, at: offset, length: length) } catch {
            throw AsofError(error, "cannot read a file of the directory")
        }
    }
}
