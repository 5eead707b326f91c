package import AsofCore
package import AsofFileSystem
internal import AsofSystem
internal import Glibc

extension OverlayFileSystem {
    // A file is found by its number at each call: nothing depends on a handle, and the kernel holds what is open.
    package func open(_ node: NodeID, flags: Int32, _ request: Request) throws(Errno) -> FileHandle { 0 }
    package func close(_ node: NodeID, handle: FileHandle) {}
    package func flush(_ node: NodeID, handle: FileHandle) throws(Errno) {}

    package func read(
        _ node: NodeID, handle: FileHandle, offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        let inode = InodeNumber(node)
        guard let node = tree.node(inode) else {
            let size = try currentAttributes(of: inode).size
            guard offset < size else { return 0 }
            let count = Int(min(UInt64(buffer.count), size - offset))
            try base.read(inode, at: offset, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]))
            return count
        }
        let (size, covered, erased) = node.lock.withLock { _ in
            let range = offset..<offset.end(after: UInt64(buffer.count))
            return (node.attributes.size, node.covered.overlapping(range), node.erased.overlapping(range))
        }
        guard offset < size else { return 0 }
        let end = min(offset.end(after: UInt64(buffer.count)), size)
        func piece(_ range: Range<UInt64>) -> UnsafeMutableRawBufferPointer {
            UnsafeMutableRawBufferPointer(rebasing: buffer[Int(range.lowerBound - offset)..<Int(range.upperBound - offset)])
        }
        try (offset..<end).forEachPart(covered) { (range, isCovered) throws(Errno) in
            if isCovered { return try store.read(inode, at: range.lowerBound, into: piece(range)) }
            try range.forEachPart(node.isInView ? erased : [range]) { (range, isErased) throws(Errno) in
                if isErased { piece(range).initializeMemory(as: UInt8.self, repeating: 0) } else { try base.read(inode, at: range.lowerBound, into: piece(range)) }
            }
        }
        return Int(end - offset)
    }

    package func write(
        _ node: NodeID, handle: FileHandle, offset: UInt64, bytes: UnsafeRawBufferPointer, _ request: Request
    ) throws(Errno) -> Int {
        let node = try self.node(InodeNumber(node))
        let end = offset.end(after: UInt64(bytes.count))
        guard end <= UInt64(Int64.max) else { throw Errno(EFBIG) }
        guard !bytes.isEmpty else { return 0 }
        try store.changing { () throws(Errno) in
            try node.lock.withLock { _ throws(Errno) in
                guard node.attributes.isRegular else { throw Errno(EISDIR) }
                var attributes = node.attributes
                attributes.size = max(attributes.size, end)
                attributes.modified = SystemClock.now()
                attributes.changed = attributes.modified
                var operations: [Operation] = [.write(node.inode, offset: offset, length: bytes.count)]
                if request.clearsPrivileges { operations.append(contentsOf: Self.clearPrivileges(&attributes, of: node)) }
                operations.append(.attributes(node.inode, attributes, isBorn: false))
                try store.write(node, at: offset, bytes, operations)
                store.done(operations, node)
            }
        }
        return bytes.count
    }

    package func synchronize(_ node: NodeID, handle: FileHandle, dataOnly: Bool) throws(Errno) { try store.synchronize() }

    package func allocate(
        _ node: NodeID, handle: FileHandle, mode: Int32, offset: UInt64, length: UInt64, _ request: Request
    ) throws(Errno) {
        let keepSize: Int32 = 1, punchHole: Int32 = 2, zeroRange: Int32 = 16
        guard mode & ~(keepSize | punchHole | zeroRange) == 0 else { throw Errno(EOPNOTSUPP) }
        let node = try self.node(InodeNumber(node))
        let end = offset.end(after: length)
        guard end <= UInt64(Int64.max) else { throw Errno(EFBIG) }
        let zeroes = mode & (punchHole | zeroRange) != 0
        try store.changing { () throws(Errno) in
            try node.lock.withLock { _ throws(Errno) in
                guard node.attributes.isRegular else { throw Errno(ENODEV) }
                var attributes = node.attributes
                if mode & keepSize == 0 { attributes.size = max(attributes.size, end) }
                attributes.modified = SystemClock.now()
                attributes.changed = attributes.modified
                var operations: [Operation] = zeroes ? [.zero(node.inode, offset: offset, length: end - offset)] : []
                if request.clearsPrivileges { operations.append(contentsOf: Self.clearPrivileges(&attributes, of: node)) }
                operations.append(.attributes(node.inode, attributes, isBorn: false))
                if !node.isGone { try store.commit(zeroes ? .punch : .fallocate, operations) }
                store.done(operations, node)
            }
        }
    }
}
