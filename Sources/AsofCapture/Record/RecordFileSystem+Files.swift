package import AsofCore
package import AsofFileSystem
internal import AsofSystem
internal import Glibc

extension RecordFileSystem {
    package func open(_ node: NodeID, flags: Int32, _ request: Request) throws(Errno) -> FileHandle {
        try open(try table.node(node), flags: flags)
    }

    func open(_ node: RecordedNode, flags: Int32) throws(Errno) -> FileHandle {
        OpenFile(node: node, descriptor: SharedDescriptor(try SystemCall.reopen(node.raw, OpenFile.backingFlags(flags)))).handle
    }

    package func close(_ node: NodeID, handle: FileHandle) { OpenFile.close(handle) }

    package func flush(_ node: NodeID, handle: FileHandle) throws(Errno) {}

    package func read(
        _ node: NodeID, handle: FileHandle, offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        try SystemCall.readFully(try OpenFile.with(handle).raw, at: offset, into: buffer)
    }

    package func write(
        _ node: NodeID, handle: FileHandle, offset: UInt64, bytes: UnsafeRawBufferPointer, _ request: Request
    ) throws(Errno) -> Int {
        let file = try OpenFile.with(handle)
        let node = file.node
        try checkSpace()
        return try node.lock.withLock { _ throws(Errno) in
            if node.isGoneLocked { return try SystemCall.writeSome(file.raw, at: offset, bytes) }
            try keep(node, offset..<offset.addingReportingOverflow(UInt64(bytes.count)).partialValue)
            let referenced = journal.references.file(of: node, in: table, length: bytes.count)
            let copied = referenced == nil ? bytes : UnsafeRawBufferPointer(rebasing: bytes[..<0])
            let intent = try journaling { () throws(AsofError) in try journal.begin([node.inode], payload: copied) }
            CrashPoint.reach("record.write.before")
            let count: Int
            var status: FileStatus
            do throws(Errno) {
                count = try SystemCall.writeSome(file.raw, at: offset, bytes)
                status = try SystemCall.status(file.raw)
                if request.clearsPrivileges, try clearPrivileges(file.raw, status) { status = try SystemCall.status(file.raw) }
            } catch {
                end(intent, .write, [node], after: error)
                throw error
            }
            CrashPoint.reach("record.write.after")
            let reference = referenced.map {
                journal.references.add(intent.position, $0, offset: offset, UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            }
            do throws(Errno) {
                _ = try journaling { () throws(AsofError) in
                    try journal.commit(
                        intent, .write, reference: reference,
                        [.write(node.inode, offset: offset, length: count), .attributes(node.inode, status.attributes, isBorn: false)])
                }
            } catch {
                journal.references.drop([intent.position])
                throw error
            }
            return count
        }
    }

    /// To be called with the node's lock held before bytes of it are overwritten, cut off or lost with its last name.
    func keep(_ node: RecordedNode, _ range: Range<UInt64>) throws(Errno) {
        try journaling { () throws(AsofError) in try journal.references.rescue(node, range, into: journal) }
    }

    /// Takes set-user-id, and set-group-id of what a group may execute, away; true when there was something to take.
    func clearPrivileges(_ descriptor: Int32, _ status: FileStatus) throws(Errno) -> Bool {
        let mode = status.attributes.mode
        var cleared = mode & ~UInt32(S_ISUID)
        if mode & UInt32(S_IXGRP) != 0 { cleared &= ~UInt32(S_ISGID) }
        guard status.attributes.isRegular, cleared != mode else { return false }
        try SystemCall.changeMode(descriptor, cleared & 0o7777)
        return true
    }

    package func synchronize(_ node: NodeID, handle: FileHandle, dataOnly: Bool) throws(Errno) {
        let file = try OpenFile.with(handle)
        // The file may set out for the disk before the log does, and arrive first: nobody was told yet. What the client may rely on after a
        // power cut must be in the log.
        SystemCall.startWriting(file.raw)
        try journaling { () throws(AsofError) in try journal.synchronize() }
        if dataOnly { try SystemCall.syncData(file.raw) } else { try SystemCall.sync(file.raw) }
    }

    package func allocate(
        _ node: NodeID, handle: FileHandle, mode: Int32, offset: UInt64, length: UInt64, _ request: Request
    ) throws(Errno) {
        let keepSize: Int32 = 1, punchHole: Int32 = 2, zeroRange: Int32 = 16
        guard mode & ~(keepSize | punchHole | zeroRange) == 0 else { throw Errno(EOPNOTSUPP) }
        let file = try OpenFile.with(handle)
        let node = file.node
        let zeroes = mode & (punchHole | zeroRange) != 0
        try logging(zeroes ? .punch : .fallocate, [node]) { () throws(Errno) in
            let before = try SystemCall.status(file.raw).attributes.size
            if zeroes { try keep(node, offset..<max(offset, offset.addingReportingOverflow(length).overflow ? .max : offset + length)) }
            try SystemCall.allocate(file.raw, mode: mode, offset: offset, length: length)
            var status = try SystemCall.status(file.raw)
            if request.clearsPrivileges, try clearPrivileges(file.raw, status) { status = try SystemCall.status(file.raw) }
            if node.isGoneLocked { return ((), []) }
            var operations: [Operation] = []
            let (end, overflow) = offset.addingReportingOverflow(length)
            let limit = min(overflow ? .max : end, before)
            if zeroes, offset < limit { operations.append(.zero(node.inode, offset: offset, length: limit - offset)) }
            operations.append(.attributes(node.inode, status.attributes, isBorn: false))
            return ((), operations)
        }
    }
}
