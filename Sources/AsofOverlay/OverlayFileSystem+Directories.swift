package import AsofCore
package import AsofFileSystem
internal import AsofSystem
internal import Glibc

/// A directory that a client has open. The kernel carries the handle, so it is the object's address, retained until the last close.
///
/// Its names are those of the moment when it was opened or rewound, so an entry's place among them is a cookie that holds.
private final class OpenListing: Sendable {
    let entries = Lock<[(name: Name, inode: InodeNumber)]?>(nil)

    var handle: FileHandle { FileHandle(UInt(bitPattern: Unmanaged.passRetained(self).toOpaque())) }

    static func with(_ handle: FileHandle) throws(Errno) -> OpenListing {
        guard let pointer = UnsafeRawPointer(bitPattern: UInt(handle)) else { throw Errno(EBADF) }
        return Unmanaged<OpenListing>.fromOpaque(pointer).takeUnretainedValue()
    }
}

extension OverlayFileSystem {
    package func openDirectory(_ node: NodeID, _ request: Request) throws(Errno) -> FileHandle { OpenListing().handle }

    package func closeDirectory(_ node: NodeID, handle: FileHandle) {
        guard let pointer = UnsafeRawPointer(bitPattern: UInt(handle)) else { return }
        Unmanaged<OpenListing>.fromOpaque(pointer).release()
    }

    package func synchronizeDirectory(_ node: NodeID, handle: FileHandle, dataOnly: Bool) throws(Errno) { try store.synchronize() }

    /// All names of a directory, sorted.
    func entries(of directory: InodeNumber) throws(Errno) -> [(name: Name, inode: InodeNumber)] {
        let (own, isInView) = tree.state.withLock { ($0.entries[directory] ?? [:], $0.nodes[directory]?.isInView ?? true) }
        var merged = isInView ? try base.entries(of: directory) : []
        guard !own.isEmpty else { return merged }
        merged.removeAll { own[$0.name] != nil }
        for (name, target) in own { if let target { merged.append((name, target)) } }
        return merged.sorted { $0.name < $1.name }
    }

    package func list(_ node: NodeID, handle: FileHandle, after cookie: UInt64, add: (DirectoryEntry) -> Bool) throws(Errno) {
        let listing = try OpenListing.with(handle)
        let directory = InodeNumber(node)
        let known = cookie == 0 ? nil : listing.entries.withLock { $0 }
        let entries: [(name: Name, inode: InodeNumber)]
        if let known { entries = known } else {
            entries = try self.entries(of: directory)
            listing.entries.withLock { $0 = entries }
        }
        var position = cookie
        if position == 0 {
            guard add(DirectoryEntry(name: [0x2E], inode: directory, mode: 0o040000, cookie: 1)) else { return }
            position = 1
        }
        if position == 1 {
            guard add(DirectoryEntry(name: [0x2E, 0x2E], inode: directory, mode: 0o040000, cookie: 2)) else { return }
            position = 2
        }
        while position - 2 < UInt64(entries.count) {
            let entry = entries[Int(position - 2)]
            // Zero, unknown, for what is gone since.
            var shown: UInt32 = 0
            if let node = tree.node(entry.inode) {
                shown = node.lock.withLock { _ in node.attributes.mode }
            } else if let attributes = try base.attributes(of: entry.inode) {
                shown = attributes.mode
            }
            guard add(DirectoryEntry(name: entry.name.bytes, inode: entry.inode, mode: shown & 0o170000, cookie: position + 1)) else { return }
            position += 1
        }
    }
}
