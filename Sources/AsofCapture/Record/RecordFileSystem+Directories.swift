package import AsofCore
package import AsofFileSystem
internal import AsofSystem
internal import Glibc

extension RecordFileSystem {
    package func openDirectory(_ node: NodeID, _ request: Request) throws(Errno) -> FileHandle {
        try OpenDirectory(node: try table.node(node)).handle
    }

    package func closeDirectory(_ node: NodeID, handle: FileHandle) { OpenDirectory.close(handle) }

    package func synchronizeDirectory(_ node: NodeID, handle: FileHandle, dataOnly: Bool) throws(Errno) {
        try journaling { () throws(AsofError) in try journal.synchronize() }
        let directory = try OpenDirectory.with(handle)
        if dataOnly {
            try SystemCall.syncData(directory.descriptor.unmanaged)
        } else {
            try SystemCall.sync(directory.descriptor.unmanaged)
        }
    }

    /// Cookies are the backing file system's own: they survive whatever is unlinked meanwhile.
    package func list(
        _ node: NodeID, handle: FileHandle, after cookie: UInt64, add: (DirectoryEntry) -> Bool
    ) throws(Errno) {
        let directory = try OpenDirectory.with(handle)
        try directory.reader.withLock { reader throws(Errno) in
            try reader.seek(Int64(bitPattern: cookie))
            while let entry = try reader.next() {
                guard !NodeTable.isLeftOut(entry.name, in: directory.node) else { continue }
                let identity = BackingIdentity(device: directory.node.identity.device, inode: entry.inode)
                let inode = table.number(of: identity) ?? InodeNumber(entry.inode)
                let shown = DirectoryEntry(
                    name: entry.name.bytes, inode: inode, mode: entry.kind?.modeBits ?? 0, cookie: UInt64(bitPattern: entry.cookie))
                guard add(shown) else { return }
            }
        }
    }
}
