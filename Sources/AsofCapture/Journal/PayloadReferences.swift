internal import AsofCore
internal import AsofSystem
internal import CLinux
internal import Glibc
internal import Synchronization

/// Large writes whose bytes the journal does not copy: until they are sealed, the file itself holds them.
///
/// The commit names the file (by a handle that outlives renames and asof) and the bytes' checksum. Whoever needs them, the sealer or the
/// next life after a crash, reads them back and checks them. So before anything overwrites, cuts off or removes referenced bytes, `rescue`
/// copies them into the journal. A power cut cannot part the two: `Journal.synchronize` makes referenced files durable along with the log.
///
/// Concurrency: calls about a node are made with its lock held, so that nothing changes between looking and doing. `state` is locked inside
/// of node locks and of the journal's `syncing`; nothing is locked inside it.
final class PayloadReferences: Sendable {
    /// Shorter payload is copied: that is cheaper than a reference.
    static let lengthMin = 32 << 10

    /// A file that holds referenced bytes. The table keeps its node for as long: a second one would have a second lock.
    final class File: Sendable {
        let node: RecordedNode
        let table: NodeTable
        /// For reading and for making durable.
        let descriptor: SharedDescriptor
        let handle: StableHandle

        init(node: RecordedNode, table: NodeTable, descriptor: SharedDescriptor, handle: StableHandle) {
            self.node = node
            self.table = table
            self.descriptor = descriptor
            self.handle = handle
        }
    }

    enum Place: Sendable {
        case file(SharedDescriptor)
        /// A record that holds a copy.
        case journal(Journal.Position)
    }

    struct Reference: Sendable {
        /// Nil in what an earlier life left: nothing changes it before it is sealed.
        var node: RecordedNode?
        var place: Place
        var offset: UInt64
        var length: Int
        /// CRC32C of the bytes.
        var sum: UInt32

        var range: Range<UInt64> { offset..<offset + UInt64(length) }
    }

    private struct Referenced {
        let file: File
        /// References that are not sealed.
        var count = 0
        var ranges = ReferencedRanges()
    }

    private struct State {
        var references: [Journal.Position: Reference] = [:]
        var files: [InodeNumber: Referenced] = [:]
        /// Of all references.
        var bytes: UInt64 = 0
        /// Files with references that came since the log was last made durable.
        var unsynced: [InodeNumber: File] = [:]
    }

    private let state = Lock(State())
    /// False where handles cannot be opened: everything is copied.
    private let isEnabled: Bool
    /// The backing directory's file system: handles of others cannot be opened through it.
    private let device: UInt64
    /// More than this waits to be sealed: payload is copied, so that the spool's limit counts it.
    private static let bytesMax: UInt64 = 1 << 30
    private static let filesMax = 4096

    /// `anchor`: an open file of the backing file system. `recovered`: what an earlier life left.
    init(anchor: Int32, recovered: [Journal.Position: Reference]) {
        device = (try? SystemCall.status(anchor))?.device ?? 0
        isEnabled = (try? StableHandle(of: anchor).open(anchor, SystemCall.O_PATH)) != nil
        state.withLock { $0.references = recovered }
    }

    // MARK: Referring

    /// The file to refer to for `length` bytes of `node`; nil: copy them.
    func file(of node: RecordedNode, in table: NodeTable, length: Int) -> File? {
        guard isEnabled, length >= Self.lengthMin, node.identity.device == device else { return nil }
        let (found, hasRoom) = state.withLock { ($0.files[node.inode]?.file, $0.bytes < Self.bytesMax && $0.files.count < Self.filesMax) }
        guard hasRoom else { return nil }
        if let found { return found }
        guard let handle = try? StableHandle(of: node.raw), let descriptor = try? SystemCall.reopen(node.raw, O_RDONLY) else { return nil }
        return File(node: node, table: table, descriptor: SharedDescriptor(descriptor), handle: handle)
    }

    /// Notes that `bytes` stand in `file` from now on. To be called before the commit that names them.
    func add(_ intent: Journal.Position, _ file: File, offset: UInt64, _ bytes: UnsafeRawBufferPointer) -> JournalCodec.Reference {
        let sum = asof_crc32c(0, bytes.baseAddress, bytes.count)
        let node = file.node
        let isFirst = state.withLock { state in
            let isFirst = state.files[node.inode] == nil
            state.references[intent] = Reference(
                node: node, place: .file(file.descriptor), offset: offset, length: bytes.count, sum: sum)
            state.bytes += UInt64(bytes.count)
            state.files[node.inode, default: Referenced(file: file)].count += 1
            state.files[node.inode]?.ranges.insert(offset..<offset + UInt64(bytes.count), intent)
            state.unsynced[node.inode] = file
            return isFirst
        }
        node.references.wrappingAdd(1, ordering: .relaxed)
        if isFirst { file.table.retain(node) }
        return JournalCodec.Reference(handle: file.handle.bytes, sum: sum)
    }

    // MARK: Keeping what is about to go

    /// Copies what is referenced in `range` of the node's file into the journal. Its lock is held, and is kept until the change is done.
    func rescue(_ node: RecordedNode, _ range: Range<UInt64>, into journal: Journal) throws(AsofError) {
        guard node.references.load(ordering: .relaxed) > 0 else { return }
        let due = state.withLock { state in
            (state.files[node.inode]?.ranges.take(overlapping: range) ?? []).compactMap { position in
                state.references[position].map { (position, $0) }
            }
        }
        var isDurable = false
        for (index, (position, reference)) in due.enumerated() {
            guard case .file(let file) = reference.place else { continue }
            do throws(AsofError) {
                // Bytes that are not what was written cannot be rescued; the sealer will meet them and declare it.
                guard case (let bytes, true) = try Self.read(reference, in: file) else { continue }
                let record = try bytes.withUnsafeBufferPointer { bytes throws(AsofError) in
                    try journal.keep(position, UnsafeRawBufferPointer(bytes))
                }
                state.withLock { $0.references[position]?.place = .journal(record) }
            } catch {
                // The change will not happen: what was not copied yet is referred to as before.
                state.withLock { state in for (position, left) in due[index...] { state.files[node.inode]?.ranges.insert(left.range, position) } }
                throw error
            }
            isDurable = isDurable || position < journal.promisedEnd
        }
        // What an fsync promised must not depend on bytes that the coming change destroys.
        if isDurable { try journal.synchronize() }
    }

    // MARK: Reading back

    /// The bytes behind an intent, and whether they are what was written.
    func bytes(of intent: Journal.Position, in journal: Journal) throws(AsofError) -> (bytes: [UInt8], isIntact: Bool) {
        guard let reference = state.withLock({ $0.references[intent] }) else {
            throw AsofError(.damaged, "the journal lacks the bytes of the change at \(intent)")
        }
        let found = try bytes(of: reference, in: journal)
        guard !found.isIntact, let node = reference.node else { return found }
        // Read in the middle of a change, it seems: then they were rescued before.
        return try node.lock.withLock { _ throws(AsofError) in
            try bytes(of: state.withLock { $0.references[intent] } ?? reference, in: journal)
        }
    }

    private func bytes(of reference: Reference, in journal: Journal) throws(AsofError) -> (bytes: [UInt8], isIntact: Bool) {
        switch reference.place {
        case .file(let file): try Self.read(reference, in: file)
        case .journal(let record): (try journal.kept(at: record, length: reference.length), true)
        }
    }

    /// The bytes as the file has them, zero where it ends too early, and whether they are what was written.
    static func read(_ reference: Reference, in file: SharedDescriptor) throws(AsofError) -> (bytes: [UInt8], isIntact: Bool) {
        var bytes: [UInt8]
        do throws(Errno) {
            bytes = try file.withRaw { raw throws(Errno) in try SystemCall.readFully(raw, at: reference.offset, length: reference.length) }
        } catch {
            throw AsofError(error, "cannot read back bytes of a file that the journal refers to")
        }
        let count = bytes.count
        bytes += [UInt8](repeating: 0, count: reference.length - count)
        return (bytes, count == reference.length && bytes.withUnsafeBytes { asof_crc32c(0, $0.baseAddress, $0.count) } == reference.sum)
    }

    // MARK: Letting go

    /// The changes behind these intents are sealed and durable, or came to nothing.
    func drop(_ intents: [Journal.Position]) {
        guard !intents.isEmpty else { return }
        let released = state.withLock { state in
            var released: [File] = []
            var changed: Set<InodeNumber> = []
            for intent in intents {
                guard let reference = state.references.removeValue(forKey: intent), let node = reference.node else { continue }
                state.bytes -= min(state.bytes, UInt64(reference.length))
                node.references.wrappingSubtract(1, ordering: .relaxed)
                state.files[node.inode]?.count -= 1
                changed.insert(node.inode)
            }
            let dropped = Set(intents)
            for inode in changed {
                state.files[inode]?.ranges.remove(dropped)
                guard let left = state.files[inode], left.count == 0 else { continue }
                state.files[inode] = nil
                state.unsynced[inode] = nil
                released.append(left.file)
            }
            return released
        }
        for file in released { file.table.release(file.node) }
    }

    /// The files that must be durable before a log that refers to them is.
    func takeUnsynced() -> [File] {
        state.withLock { state in
            defer { state.unsynced = [:] }
            return Array(state.unsynced.values)
        }
    }

    /// They could not be made durable: they stay due.
    func putBack(_ files: [File]) {
        state.withLock { state in
            for file in files where state.files[file.node.inode] != nil { state.unsynced[file.node.inode] = file }
        }
    }
}
