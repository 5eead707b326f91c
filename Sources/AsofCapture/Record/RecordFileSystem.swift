package import AsofCore
package import AsofFileSystem
internal import AsofSystem
internal import Glibc

/// The backing directory, served so that every change is in the log before it is acknowledged.
///
/// A change: lock the nodes concerned; write the intent; change the backing directory; read back what it is now; commit. What the reply says
/// is in the log by then. The caller's requests on one inode come one after the other already; there is no lock over all.
package final class RecordFileSystem: AsofFileSystem {
    package let isReadOnly = false
    let table: NodeTable
    let journal: Journal
    private let session: CaptureSession
    let isPrivileged = geteuid() == 0

    init(table: NodeTable, session: CaptureSession) {
        self.table = table
        self.session = session
        journal = session.journal
    }

    /// Without room for the log changes are refused.
    func checkSpace() throws(Errno) { if session.isFull { throw Errno(ENOSPC) } }

    func reply(_ node: RecordedNode, _ status: FileStatus) -> Node {
        Node(id: node.inode.rawValue, inode: node.inode, attributes: status.attributes, blocks: status.blocks)
    }

    /// One change. `change` performs it and says what it did; when it throws, nothing was changed but what a full or failing disk left.
    func logging<Value>(
        _ verb: Verb, _ nodes: [RecordedNode], _ change: () throws(Errno) -> (value: Value, operations: [Operation])
    ) throws(Errno) -> Value {
        try checkSpace()
        return try RecordedNode.locking(nodes) { () throws(Errno) in
            let intent = try journaling { () throws(AsofError) in try journal.begin(nodes.map(\.inode)) }
            CrashPoint.reach("record.change.before")
            let result: (value: Value, operations: [Operation])
            do throws(Errno) { result = try change() } catch {
                end(intent, verb, nodes, after: error)
                throw error
            }
            CrashPoint.reach("record.change.after")
            if result.operations.isEmpty {
                journal.abort(intent)
            } else {
                _ = try journaling { () throws(AsofError) in try journal.commit(intent, verb, result.operations) }
            }
            return result.value
        }
    }

    /// Ends the intent of a change that failed. A file system that runs out of space may have done a part of it: a size that has grown already, times.
    func end(_ intent: Journal.Intent, _ verb: Verb, _ nodes: [RecordedNode], after error: Errno) {
        guard [ENOSPC, EDQUOT, EIO, EFBIG].contains(error.rawValue) else { return journal.abort(intent) }
        var operations: [Operation] = []
        for node in nodes where !node.isGoneLocked {
            guard let attributes = try? node.status().attributes, attributes.links > 0 else { continue }
            operations.append(.attributes(node.inode, attributes, isBorn: false))
        }
        guard !operations.isEmpty, (try? journal.commit(intent, verb, operations)) != nil else { return journal.abort(intent) }
    }

    /// A journal that cannot be written is a failing disk to the client.
    func journaling<Value>(_ body: () throws(AsofError) -> Value) throws(Errno) -> Value {
        do throws(AsofError) { return try body() } catch { throw Errno(error.code == .unavailable ? ENOSPC : EIO) }
    }

    // MARK: Look-ups

    package func lookup(_ name: Name, in parent: NodeID, _ request: Request) throws(Errno) -> Node {
        let (node, status) = try table.resolve(name, in: try table.node(parent))
        return reply(node, status)
    }

    package func forget(_ node: NodeID, count: UInt64) { table.forget(node, count: count) }

    package func attributes(of node: NodeID, handle: FileHandle?) throws(Errno) -> Node {
        let node = try table.node(node)
        return reply(node, try node.status())
    }

    package func readSymbolicLink(_ node: NodeID) throws(Errno) -> [UInt8] {
        try SystemCall.readLink(at: try table.node(node).raw, "")
    }

    package func statistics() throws(Errno) -> FileSystemStatistics {
        let space = try SystemCall.fileSystemStatus(table.root.raw)
        return FileSystemStatistics(
            blockSize: space.fragmentSize, blocks: space.blocks, blocksFree: space.freeBlocks,
            blocksAvailable: space.availableBlocks, files: space.files, filesFree: space.freeFiles,
            nameLengthMax: space.longestName)
    }
}
