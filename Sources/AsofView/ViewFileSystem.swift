package import AsofCore
package import AsofFileSystem
internal import AsofRepository
internal import AsofSystem
internal import Glibc

/// A view as a file system. Node numbers are computed, not kept: the cut's slot in the upper 16 bits, the inode in the lower 48, so a
/// `find` over millions of files costs no memory here and FORGET has nothing to do.
package final class ViewFileSystem: ReadOnlyFileSystem, StatelessOpens {
    package let view: View
    private let slot: UInt64
    private let presentation: Presentation
    private let listings = TwoGenerationCache<InodeNumber, Listing>(limit: 8 << 20)
    private let sizes = TwoGenerationCache<InodeNumber, UInt64>(limit: 256 << 10)

    private struct Listing: Sendable {
        var entries: [(name: Name, inode: InodeNumber)]
    }

    /// How a mount shows what it serves.
    package struct Presentation: Sendable {
        /// Everything belongs to this user and group; nil: as it was captured.
        package var owner: (user: UInt32, group: UInt32)?
        /// Called with every failure that a client sees as EIO.
        package var report: @Sendable (AsofError) -> Void

        package init(owner: (user: UInt32, group: UInt32)? = nil, report: @escaping @Sendable (AsofError) -> Void) {
            self.owner = owner
            self.report = report
        }
    }

    package init(_ view: View, slot: UInt64 = 0, presentation: Presentation) {
        self.view = view
        self.slot = slot
        self.presentation = presentation
    }

    package static let slotShift: UInt64 = 48

    private func inode(_ node: NodeID) -> InodeNumber { InodeNumber(node & (1 << Self.slotShift - 1)) }
    private func id(_ inode: InodeNumber) -> NodeID { slot << Self.slotShift | inode.rawValue }

    /// Runs `body`; what it cannot read is EIO for the client and a message for the operator.
    private func reading<Value>(_ body: () throws(AsofError) -> Value) throws(Errno) -> Value {
        do throws(AsofError) { return try body() } catch {
            presentation.report(error)
            throw Errno(EIO)
        }
    }

    private func node(_ inode: InodeNumber) throws(Errno) -> Node {
        guard var attributes = try reading({ () throws(AsofError) in try view.attributes(of: inode) }) else { throw Errno(ENOENT) }
        if let owner = presentation.owner {
            attributes.owner = owner.user
            attributes.group = owner.group
        }
        let number = id(inode)
        return Node(id: number, inode: InodeNumber(number), attributes: attributes, blocks: (attributes.size &+ 511) / 512)
    }

    package func lookup(_ name: Name, in parent: NodeID, _ request: Request) throws(Errno) -> Node {
        guard let found = try reading({ () throws(AsofError) in try view.entry(name, in: inode(parent)) }) else { throw Errno(ENOENT) }
        return try node(found)
    }

    package func forget(_ node: NodeID, count: UInt64) {}

    package func attributes(of node: NodeID, handle: FileHandle?) throws(Errno) -> Node { try self.node(inode(node)) }

    package func readSymbolicLink(_ node: NodeID) throws(Errno) -> [UInt8] {
        guard let target = try reading({ () throws(AsofError) in try view.symbolicLink(inode(node)) }) else { throw Errno(EINVAL) }
        return target
    }

    // The kernel reads without opening: nothing here depends on a handle.
    package func open(_ node: NodeID, flags: Int32, _ request: Request) throws(Errno) -> FileHandle { 0 }
    package func close(_ node: NodeID, handle: FileHandle) {}
    package func openDirectory(_ node: NodeID, _ request: Request) throws(Errno) -> FileHandle { 0 }
    package func closeDirectory(_ node: NodeID, handle: FileHandle) {}

    package func read(
        _ node: NodeID, handle: FileHandle, offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        let inode = inode(node)
        return try reading { () throws(AsofError) in
            let size = try sizes.value(for: inode) { () throws(AsofError) in (try view.attributes(of: inode)?.size ?? 0, 16) }
            return try view.read(inode, size: size, offset: offset, into: buffer)
        }
    }

    package func list(
        _ node: NodeID, handle: FileHandle, after cookie: UInt64, add: (DirectoryEntry) -> Bool
    ) throws(Errno) {
        let directory = inode(node)
        let entries = try reading { () throws(AsofError) in
            try listings.value(for: directory) { () throws(AsofError) in
                let entries = try view.entries(of: directory)
                return (Listing(entries: entries), entries.count * 64 + 64)
            }
        }.entries
        // A view never changes, so an entry's place in the sorted names is a cookie that holds for ever.
        var position = cookie
        if position == 0 {
            guard add(DirectoryEntry(name: [0x2E], inode: InodeNumber(node), mode: 0o040000, cookie: 1)) else { return }
            position = 1
        }
        if position == 1 {
            guard add(DirectoryEntry(name: [0x2E, 0x2E], inode: InodeNumber(node), mode: 0o040000, cookie: 2)) else { return }
            position = 2
        }
        while position - 2 < UInt64(entries.count) {
            let entry = entries[Int(position - 2)]
            let mode = try reading { () throws(AsofError) in try view.attributes(of: entry.inode)?.mode ?? 0 }
            let shown = DirectoryEntry(
                name: entry.name.bytes, inode: InodeNumber(id(entry.inode)), mode: mode & 0o170000, cookie: position + 1)
            guard add(shown) else { return }
            position += 1
        }
    }

    package func extendedAttribute(_ name: Name, of node: NodeID) throws(Errno) -> [UInt8] {
        guard let value = try attributes(inode(node))[name] else { throw Errno(ENODATA) }
        return value
    }

    package func extendedAttributeNames(of node: NodeID) throws(Errno) -> [Name] { try attributes(inode(node)).keys.sorted() }

    /// The captured attributes; at the root also what says which moment this is.
    private func attributes(_ inode: InodeNumber) throws(Errno) -> [Name: [UInt8]] {
        var found = try reading { () throws(AsofError) in try view.extendedAttributes(of: inode) }
        if inode == .root {
            let isExact = try reading { () throws(AsofError) in try view.isExact() }
            let facts = [
                "time": view.cut.time.description, "lsn": view.cut.lsn.description, "timeline": view.timeline, "exact": "\(isExact)",
            ]
            for (key, value) in facts { if let name = Name("user.asof.\(key)") { found[name] = Array(value.utf8) } }
        }
        return found
    }

    package func statistics() throws(Errno) -> FileSystemStatistics {
        // A view has no space of its own; servers refuse to work on a disk that looks full.
        FileSystemStatistics(
            blockSize: 4096, blocks: 1 << 28, blocksFree: 1 << 28, blocksAvailable: 1 << 28, files: 1 << 32, filesFree: 1 << 32)
    }
}
