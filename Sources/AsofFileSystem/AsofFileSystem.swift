package import AsofCore

/// A file system that a kernel (or a test) can put questions to. View, overlay and record are conformers; AsofFuse serves any of them.
///
/// Calls come from many threads at once and may block. Nodes are named by their number alone: `NodeID`, the root is 1.
/// A call fails with the `errno` that the client shall see.
package protocol AsofFileSystem: AnyObject, Sendable {
    /// True: every changing call is refused with EROFS before it gets here, and the kernel may cache for ever.
    var isReadOnly: Bool { get }

    // Names. `lookup`, `create`, `makeDirectory`, `makeNode`, `makeSymbolicLink` and `link` each add one to the node's look-up
    // count; `forget` takes `count` from it. `lookup` of a missing name throws ENOENT.
    func lookup(_ name: Name, in parent: NodeID, _ request: Request) throws(Errno) -> Node
    func forget(_ node: NodeID, count: UInt64)

    func attributes(of node: NodeID, handle: FileHandle?) throws(Errno) -> Node
    func setAttributes(_ changes: AttributeChanges, of node: NodeID, handle: FileHandle?, _ request: Request) throws(Errno) -> Node
    func readSymbolicLink(_ node: NodeID) throws(Errno) -> [UInt8]

    func makeNode(_ name: Name, in parent: NodeID, mode: UInt32, device: UInt64, _ request: Request) throws(Errno) -> Node
    func makeDirectory(_ name: Name, in parent: NodeID, mode: UInt32, _ request: Request) throws(Errno) -> Node
    func makeSymbolicLink(_ name: Name, in parent: NodeID, target: [UInt8], _ request: Request) throws(Errno) -> Node
    func link(_ node: NodeID, as name: Name, in parent: NodeID, _ request: Request) throws(Errno) -> Node
    func unlink(_ name: Name, in parent: NodeID, _ request: Request) throws(Errno)
    func removeDirectory(_ name: Name, in parent: NodeID, _ request: Request) throws(Errno)
    /// `flags` as in renameat2(2): RENAME_NOREPLACE, RENAME_EXCHANGE; anything else is EINVAL.
    func rename(_ name: Name, in parent: NodeID, to newName: Name, in newParent: NodeID, flags: UInt32, _ request: Request) throws(Errno)

    // Files. `flags` as in open(2); O_CREAT, O_EXCL and O_TRUNC never reach `open`.
    func create(_ name: Name, in parent: NodeID, mode: UInt32, flags: Int32, _ request: Request) throws(Errno) -> (Node, FileHandle)
    func open(_ node: NodeID, flags: Int32, _ request: Request) throws(Errno) -> FileHandle
    /// Fills `buffer` from `offset`; fewer bytes only at the end of the file. Returns the count.
    func read(_ node: NodeID, handle: FileHandle, offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int
    func write(_ node: NodeID, handle: FileHandle, offset: UInt64, bytes: UnsafeRawBufferPointer, _ request: Request) throws(Errno) -> Int
    /// One of several descriptors was closed: the place for errors that close(2) may report.
    func flush(_ node: NodeID, handle: FileHandle) throws(Errno)
    func synchronize(_ node: NodeID, handle: FileHandle, dataOnly: Bool) throws(Errno)
    /// `mode` as in fallocate(2).
    func allocate(_ node: NodeID, handle: FileHandle, mode: Int32, offset: UInt64, length: UInt64, _ request: Request) throws(Errno)
    func close(_ node: NodeID, handle: FileHandle)

    // Directories. `list` calls `add` for each entry after `cookie` (0: from the start) until it returns false; `.` and `..` included.
    func openDirectory(_ node: NodeID, _ request: Request) throws(Errno) -> FileHandle
    func list(_ node: NodeID, handle: FileHandle, after cookie: UInt64, add: (DirectoryEntry) -> Bool) throws(Errno)
    func synchronizeDirectory(_ node: NodeID, handle: FileHandle, dataOnly: Bool) throws(Errno)
    func closeDirectory(_ node: NodeID, handle: FileHandle)

    // Extended attributes. ENODATA where there is none of that name. `flags` as in setxattr(2).
    func extendedAttribute(_ name: Name, of node: NodeID) throws(Errno) -> [UInt8]
    func extendedAttributeNames(of node: NodeID) throws(Errno) -> [Name]
    func setExtendedAttribute(_ name: Name, of node: NodeID, value: [UInt8], flags: Int32, _ request: Request) throws(Errno)
    func removeExtendedAttribute(_ name: Name, of node: NodeID, _ request: Request) throws(Errno)

    func statistics() throws(Errno) -> FileSystemStatistics
}

/// The kernel's name for a node. 64 bits that the file system chooses; 1 is the root.
package typealias NodeID = UInt64
/// What `open` or `openDirectory` gave, handed back with each call on it.
package typealias FileHandle = UInt64

/// Who asks.
package struct Request: Sendable {
    package var user: UInt32
    package var group: UInt32
    package var process: Int32
    /// The kernel asks that set-user-id and set-group-id bits go with this change (FUSE_HANDLE_KILLPRIV_V2).
    package var clearsPrivileges: Bool

    package init(user: UInt32 = 0, group: UInt32 = 0, process: Int32 = 0, clearsPrivileges: Bool = false) {
        self.user = user
        self.group = group
        self.process = process
        self.clearsPrivileges = clearsPrivileges
    }
}

/// A node's number and attributes, as a reply needs them.
package struct Node: Sendable {
    package var id: NodeID
    /// `st_ino`.
    package var inode: InodeNumber
    package var attributes: Attributes
    /// 512-byte blocks in use, as `st_blocks`.
    package var blocks: UInt64

    package init(id: NodeID, inode: InodeNumber, attributes: Attributes, blocks: UInt64) {
        self.id = id
        self.inode = inode
        self.attributes = attributes
        self.blocks = blocks
    }
}

/// The fields that setattr shall change; nil: as it was.
package struct AttributeChanges: Sendable {
    package enum Time: Sendable, Hashable { case now, at(Instant) }

    /// Permission bits only.
    package var mode: UInt32?
    package var owner: UInt32?
    package var group: UInt32?
    package var size: UInt64?
    package var accessed: Time?
    package var modified: Time?

    package init() {}
}

package struct DirectoryEntry: Sendable {
    package var name: [UInt8]
    package var inode: InodeNumber
    /// Type bits of `st_mode`; zero where unknown.
    package var mode: UInt32
    /// Pass this as `after` to go on behind this entry.
    package var cookie: UInt64

    package init(name: [UInt8], inode: InodeNumber, mode: UInt32, cookie: UInt64) {
        self.name = name
        self.inode = inode
        self.mode = mode
        self.cookie = cookie
    }
}

/// As statvfs(3).
package struct FileSystemStatistics: Sendable {
    package var blockSize: UInt64
    package var blocks: UInt64
    package var blocksFree: UInt64
    package var blocksAvailable: UInt64
    package var files: UInt64
    package var filesFree: UInt64
    package var nameLengthMax: UInt64

    package init(
        blockSize: UInt64, blocks: UInt64, blocksFree: UInt64, blocksAvailable: UInt64, files: UInt64, filesFree: UInt64,
        nameLengthMax: UInt64 = 255
    ) {
        self.blockSize = blockSize
        self.blocks = blocks
        self.blocksFree = blocksFree
        self.blocksAvailable = blocksAvailable
        self.files = files
        self.filesFree = filesFree
        self.nameLengthMax = nameLengthMax
    }
}
