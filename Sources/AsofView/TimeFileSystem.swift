package import AsofCore
package import AsofFileSystem
internal import AsofFormat
package import AsofRepository
internal import AsofSystem
internal import Glibc

/// A directory of time: every instant of the window is a folder, whether it is listed or not.
///
///     2026-11-23T10:30:00Z/   lsn-120/        the directory as of then
///     latest -> lsn-4711      10m-ago -> …    symbolic links, resolved at each look-up
///
/// Slot 0 of the node numbers is this directory and its links; each cut that was looked up has a slot of its own from 1 on, for as long as the
/// kernel holds references to any node in it. The kernel keeps what it was told for ever, so that it is asked to let go of the oldest names
/// before the slots run out. Only the views used last are kept in memory.
package final class TimeFileSystem: ReadOnlyFileSystem, StatelessOpens, VolatileNames {
    /// What a name in this directory means.
    package enum Meaning: Sendable {
        /// A folder of that moment.
        case folder(CutRequest)
        /// A link to the folder of that moment.
        case link(CutRequest)
    }

    private struct State {
        var head: Head
        var slots: NumberTable<Cut>
        /// Names of links: their node numbers begin behind the root's.
        var links: NumberTable<Name>
        var views: [(slot: Int, fileSystem: ViewFileSystem)] = []
        var letGo: (@Sendable ([Name]) -> Void)?
    }

    private static let viewsKept = 16

    private let timeline: Timeline
    private let reader: ObjectReader
    private let presentation: ViewFileSystem.Presentation
    private let interpret: @Sendable (String) -> Meaning?
    private let refresh: @Sendable (CutRequest) throws(AsofError) -> Head?
    private let state: Lock<State>
    private let mounted: Instant
    /// How often the kernel is asked to let go of moments, and of links.
    private let asking = (moments: Pace(seconds: 1), links: Pace(seconds: 1))

    /// `interpret` reads a name; `refresh` gives a head that is new enough for a request, nil where it is too early to ask for one again. `slots`:
    /// how many moments the kernel can know at once; `links`: how many links.
    package init(
        _ timeline: Timeline, head: Head, reader: ObjectReader, presentation: ViewFileSystem.Presentation, slots: Int = 65_534, links: Int = 65_534,
        interpret: @escaping @Sendable (String) -> Meaning?, refresh: @escaping @Sendable (CutRequest) throws(AsofError) -> Head?
    ) {
        self.timeline = timeline
        self.reader = reader
        self.presentation = presentation
        self.interpret = interpret
        self.refresh = refresh
        mounted = SystemClock.now()
        state = Lock(State(head: head, slots: NumberTable(limit: slots), links: NumberTable(limit: links)))
    }

    /// `letGo` asks the kernel to forget names in this directory. It must return at once.
    package func whenCrowded(_ letGo: @escaping @Sendable ([Name]) -> Void) { state.withLock { $0.letGo = letGo } }

    package func isVolatile(_ node: NodeID) -> Bool { node < 1 << ViewFileSystem.slotShift }

    // MARK: This directory

    private func attributes(_ node: NodeID) throws(Errno) -> Node {
        let isRoot = node == 1
        guard isRoot || linkName(node) != nil else { throw Errno(ENOENT) }
        var attributes = Attributes(
            mode: isRoot ? 0o040555 : 0o120777, links: isRoot ? 2 : 1, size: 0, modified: mounted, changed: mounted)
        if let owner = presentation.owner {
            attributes.owner = owner.user
            attributes.group = owner.group
        }
        return Node(id: node, inode: InodeNumber(node), attributes: attributes, blocks: 0)
    }

    private func linkName(_ node: NodeID) -> Name? {
        state.withLock { $0.links.key(Int(clamping: node) - 1) }
    }

    /// With one more reference.
    private func node(ofLink name: Name) throws(Errno) -> NodeID {
        NodeID(try number(of: name, name, in: \.links, asking.links) + 1)
    }

    /// With one more reference.
    private func number<Key>(of key: Key, _ name: Name, in table: WritableKeyPath<State, NumberTable<Key>>, _ asking: Pace) throws(Errno) -> Int {
        let (number, letGo, oldest) = state.withLock { state -> (Int?, (@Sendable ([Name]) -> Void)?, [Name]) in
            let number = state[keyPath: table].refer(to: key, by: name)
            guard state[keyPath: table].isCrowded, let letGo = state.letGo, asking.isDue() else { return (number, nil, []) }
            return (number, letGo, state[keyPath: table].oldestNames())
        }
        letGo?(oldest)
        guard let number else { throw Errno(ENOSPC) }
        return number
    }

    private func cut(_ request: CutRequest) throws(Errno) -> Cut {
        let found: Cut?
        do throws(AsofError) { found = try resolve(request) } catch {
            // That there was no such moment is an answer, and no failure.
            if error.code == .outsideWindow || error.code == .inGap { throw Errno(ENOENT) }
            presentation.report(error)
            throw Errno(EIO)
        }
        // It may be there: to say that it is not would be untrue.
        guard let found else { throw Errno(EAGAIN) }
        return found
    }

    /// Nil: not known yet.
    private func resolve(_ request: CutRequest) throws(AsofError) -> Cut? {
        let known = state.withLock { $0.head }
        if case .latest = request {} else if let cut = try? timeline.resolve(request, head: known, reader: reader) { return cut }
        guard let head = try refresh(request) else { return nil }
        state.withLock { $0.head = head }
        return try timeline.resolve(request, head: head, reader: reader)
    }

    /// The file system that a node number beyond slot 0 belongs to. Whoever calls has a reference to its slot.
    private func fileSystem(_ slot: Int) throws(Errno) -> ViewFileSystem {
        let (found, cut, head) = state.withLock { state -> (ViewFileSystem?, Cut?, Head) in
            if let index = state.views.firstIndex(where: { $0.slot == slot }) {
                let view = state.views.remove(at: index)
                state.views.append(view)
                return (view.fileSystem, nil, state.head)
            }
            return (nil, state.slots.key(slot), state.head)
        }
        if let found { return found }
        guard let cut else { throw Errno(ESTALE) }
        do throws(AsofError) {
            let view = try View(cut, of: timeline, head: head, reader: reader)
            let made = ViewFileSystem(view, slot: UInt64(slot), presentation: presentation)
            state.withLock { state in
                state.views.append((slot, made))
                if state.views.count > Self.viewsKept { state.views.removeFirst() }
            }
            return made
        } catch {
            presentation.report(error)
            throw Errno(EIO)
        }
    }

    private func slot(of node: NodeID) -> Int { Int(node >> ViewFileSystem.slotShift) }
    private func rootID(_ slot: Int) -> NodeID { UInt64(slot) << ViewFileSystem.slotShift | InodeNumber.root.rawValue }

    private func target(_ name: Name) throws(Errno) -> [UInt8] {
        guard case .link(let request) = interpret(name.description) else { throw Errno(ENOENT) }
        return Array("lsn-\(try cut(request).lsn)".utf8)
    }

    /// Names worth showing: the links, each base, and the full hours of the window, the newest first.
    private func listedNames() -> [String] {
        let head = (try? refresh(.latest)) ?? state.withLock { $0.head }
        state.withLock { $0.head = head }
        guard let first = head.first else { return [] }
        var names = ["latest"]
        // A parent that cannot be read hides no hours: whoever looks one up is told.
        let gaps = ((try? Inheritance(timeline, head: head))?.gaps ?? []) + head.gaps
        for base in head.bases.suffix(1000) where base.last >= first.lsn { names.append(base.lastTime.description) }
        var hour = Instant(seconds: head.exactUntil.seconds / 3600 * 3600)
        for _ in 0..<1000 where hour > first.time {
            if !gaps.contains(where: { hour > $0.after.time && hour < $0.before.time }) { names.append(hour.description) }
            hour = hour.advanced(byNanoseconds: -3_600_000_000_000)
        }
        names.append(first.time.description)
        var seen: Set<String> = []
        return names.filter { seen.insert($0).inserted }
    }

    // MARK: The file system

    package func lookup(_ name: Name, in parent: NodeID, _ request: Request) throws(Errno) -> Node {
        let slot = slot(of: parent)
        if slot > 0 {
            let found = try fileSystem(slot).lookup(name, in: parent, request)
            state.withLock { $0.slots.refer(to: slot) }
            return found
        }
        guard parent == 1, let meaning = interpret(name.description) else { throw Errno(ENOENT) }
        switch meaning {
        case .link:
            _ = try target(name)
            return try attributes(try node(ofLink: name))
        case .folder(let request):
            let root = rootID(try number(of: try cut(request), name, in: \.slots, asking.moments))
            do throws(Errno) { return try attributes(of: root, handle: nil) } catch {
                forget(root, count: 1)
                throw error
            }
        }
    }

    package func forget(_ node: NodeID, count: UInt64) {
        let slot = slot(of: node)
        state.withLock { state in
            if slot == 0 {
                _ = state.links.forget(Int(clamping: node) - 1, count: count)
            } else if state.slots.forget(slot, count: count) {
                state.views.removeAll { $0.slot == slot }
            }
        }
    }

    package func attributes(of node: NodeID, handle: FileHandle?) throws(Errno) -> Node {
        let slot = slot(of: node)
        return slot > 0 ? try fileSystem(slot).attributes(of: node, handle: handle) : try attributes(node)
    }

    package func readSymbolicLink(_ node: NodeID) throws(Errno) -> [UInt8] {
        let slot = slot(of: node)
        if slot > 0 { return try fileSystem(slot).readSymbolicLink(node) }
        guard let name = linkName(node) else { throw Errno(EINVAL) }
        return try target(name)
    }

    package func open(_ node: NodeID, flags: Int32, _ request: Request) throws(Errno) -> FileHandle { 0 }
    package func close(_ node: NodeID, handle: FileHandle) {}
    package func openDirectory(_ node: NodeID, _ request: Request) throws(Errno) -> FileHandle { 0 }
    package func closeDirectory(_ node: NodeID, handle: FileHandle) {}

    package func read(
        _ node: NodeID, handle: FileHandle, offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        let slot = slot(of: node)
        guard slot > 0 else { throw Errno(EISDIR) }
        return try fileSystem(slot).read(node, handle: handle, offset: offset, into: buffer)
    }

    package func list(
        _ node: NodeID, handle: FileHandle, after cookie: UInt64, add: (DirectoryEntry) -> Bool
    ) throws(Errno) {
        let slot = slot(of: node)
        if slot > 0 { return try fileSystem(slot).list(node, handle: handle, after: cookie, add: add) }
        let names = [".", ".."] + listedNames()
        for (index, name) in names.enumerated() where UInt64(index) >= cookie {
            let mode: UInt32 = name == "latest" ? 0o120000 : 0o040000
            // The number is not known before a look-up; any but 0 will do for a listing.
            let shown = DirectoryEntry(name: Array(name.utf8), inode: InodeNumber(UInt64(index) + 1), mode: mode, cookie: UInt64(index) + 1)
            guard add(shown) else { return }
        }
    }

    package func extendedAttribute(_ name: Name, of node: NodeID) throws(Errno) -> [UInt8] {
        let slot = slot(of: node)
        guard slot > 0 else { throw Errno(ENODATA) }
        return try fileSystem(slot).extendedAttribute(name, of: node)
    }

    package func extendedAttributeNames(of node: NodeID) throws(Errno) -> [Name] {
        let slot = slot(of: node)
        return slot > 0 ? try fileSystem(slot).extendedAttributeNames(of: node) : []
    }

    package func statistics() throws(Errno) -> FileSystemStatistics {
        FileSystemStatistics(
            blockSize: 4096, blocks: 1 << 28, blocksFree: 1 << 28, blocksAvailable: 1 << 28, files: 1 << 32, filesFree: 1 << 32)
    }
}
