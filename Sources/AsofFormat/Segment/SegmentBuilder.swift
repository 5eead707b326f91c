package import AsofCore
package import AsofFrame

/// Builds a segment front to back: header, groups, index, tail. Pure: it gives bytes, the caller appends them to the spool file; sealing
/// copies nothing that was written before.
package final class SegmentBuilder {
    package let header: ObjectHeader
    /// Bytes given out so far: where the next ones belong.
    package private(set) var length: UInt64 = 0
    /// The newest transaction that was added.
    package private(set) var last: LSN
    package private(set) var firstTime: Instant?
    package private(set) var lastTime = Instant.distantPast
    package private(set) var transactionCount = 0

    private let timeline: String
    private let previousHash: [UInt8]
    private let sealer: FrameSealer
    private let encoder: FrameEncoder
    private var hasher = SHA256Hasher()
    private let changes = ChangeSet()
    private var groups: [GroupReference] = []
    private var highestInode: InodeNumber
    private var fuzzy = FuzzyCuts()

    private var group: [Transaction] = []
    private var payload = GroupPayload()
    private var tableEstimate = 0
    private var staging: [UInt8] = []

    package init(
        header: ObjectHeader, timeline: String, previousHash: [UInt8], highestInode: InodeNumber, sealer: FrameSealer,
        compression: Compression
    ) {
        self.header = header
        self.timeline = timeline
        self.previousHash = previousHash
        self.highestInode = highestInode
        self.sealer = sealer
        encoder = FrameEncoder(compression: compression)
        last = header.first.previous
    }

    /// Nothing was added yet: there is nothing to seal.
    package var isEmpty: Bool { transactionCount == 0 }
    package var isGroupEmpty: Bool { group.isEmpty }
    /// When the open group's first transaction happened.
    package var groupTime: Instant? { group.first?.time }
    /// A group ends when this says so, or a second after it began.
    package var isGroupFull: Bool { payload.count >= FrameBounds.groupMax || tableEstimate >= FrameBounds.groupMax / 2 }

    /// Adds the next transaction; `bytes` is the payload of its writes, in the order of its operations.
    package func append(_ transaction: Transaction, payload bytes: UnsafeRawBufferPointer) {
        payload.append(bytes)
        append(transaction)
    }

    /// The same for a transaction that is too large to be copied: its payload, in parts, stays where it is until the group is closed.
    package func append(_ transaction: Transaction, kept parts: [UnsafeRawBufferPointer]) {
        payload.append(kept: parts)
        append(transaction)
    }

    private func append(_ transaction: Transaction) {
        group.append(transaction)
        transactionCount += 1
        last = transaction.lsn
        if firstTime == nil { firstTime = transaction.time }
        lastTime = max(lastTime, transaction.time)
        if transaction.verb.isFuzzy { fuzzy.add(transaction.lsn, at: transaction.time) }
        for operation in transaction.operations {
            highestInode = max(highestInode, operation.inode)
            tableEstimate += 48
            switch operation {
            case .entry(_, let name, let target):
                tableEstimate += name.bytes.count
                highestInode = max(highestInode, target ?? highestInode)
            case .extendedAttribute(_, let name, let value): tableEstimate += name.bytes.count + (value?.count ?? 0)
            case .symbolicLink(_, let target): tableEstimate += target.count
            default: break
            }
        }
    }

    /// The header; to be taken once, first.
    package func begin() -> [UInt8] { given(header.encode()) }

    /// Ends the open group: its payload frames and its operation table.
    package func closeGroup() throws(AsofError) -> [UInt8] {
        var all: [UInt8] = []
        try closeGroup { bytes, _ in all.append(contentsOf: bytes) }
        return all
    }

    /// The same, for a group of any size: gives the bytes piece by piece, each with its place in the object.
    package func closeGroup(_ give: ([UInt8], UInt64) -> Void) throws(AsofError) {
        guard !group.isEmpty else { return }
        do {
            let layout = try PayloadLayout(group)
            var output: [UInt8] = []
            output.reserveCapacity(min(payload.count / 2, FrameBounds.groupMax) + 4096)
            let frames = try writePayload(layout, into: &output, give)
            let tableOffset = length + UInt64(output.count)
            let table = OperationTable(transactions: group, frameLengths: frames.map(\.length))
            try encoder.encode(table.encode(), role: .operations, offset: tableOffset, sealer: sealer, into: &output)
            groups.append(
                GroupReference(
                    tableOffset: tableOffset, tableLength: UInt32(length + UInt64(output.count) - tableOffset),
                    first: group[0].lsn, last: last, firstTime: group[0].time, lastTime: group[group.count - 1].time))
            changes.apply(group, layout: layout, frames: frames, object: 0)
            group.removeAll(keepingCapacity: true)
            payload.removeAll()
            tableEstimate = 0
            hand(&output, give)
        } catch let error as FormatError {
            throw AsofError(.failure, "cannot write the log: \(error)")
        } catch {
            throw AsofError(.failure, "cannot write a frame of the log: \(error)")
        }
    }

    private func hand(_ output: inout [UInt8], _ give: ([UInt8], UInt64) -> Void) {
        let offset = length
        give(given(output), offset)
        output.removeAll(keepingCapacity: true)
    }

    /// Ends the segment: index, tail, trailer. The open group must have been closed.
    package func seal() throws(AsofError) -> [UInt8] {
        var output: [UInt8] = []
        do {
            var index = IndexWriter()
            let start = length
            // Collected first: the writer's errors are FrameErrors, the rendering's FormatErrors.
            var failure: FrameError?
            try changes.sortedEntries { key, value in
                guard failure == nil else { return }
                do throws(FrameError) {
                    try index.append(key, value, encoder: encoder, sealer: sealer, offset: start, into: &output)
                } catch { failure = error }
            }
            if let failure { throw failure }
            try index.finishPage(encoder: encoder, sealer: sealer, offset: start, into: &output)
            let this = ObjectReference(timeline: timeline, first: header.first, last: last, epoch: header.epoch, id: header.id)
            let tail = ObjectTail(
                first: header.first, last: last, firstTime: firstTime ?? lastTime, lastTime: lastTime, previousHash: previousHash,
                groups: groups, pages: index.pages, inodes: index.inodes, objects: [this], highestInode: highestInode)
            summaryTail = try appendTail(tail, id: header.id, at: start, encoder: encoder, sealer: sealer, to: &output)
        } catch {
            throw AsofError(.failure, "cannot seal the segment that begins at transaction \(header.first): \(error)")
        }
        return given(output)
    }

    private var summaryTail: (offset: UInt64, length: UInt32) = (0, 0)

    /// What the head says of the sealed segment.
    package func summary() -> SealedObject {
        SealedObject(
            first: header.first, last: last, firstTime: firstTime ?? lastTime, lastTime: lastTime, epoch: header.epoch,
            id: header.id, size: length, hash: hasher.finish(), tailOffset: summaryTail.offset, tailLength: summaryTail.length,
            highestInode: highestInode, fuzzy: fuzzy)
    }

    private func given(_ bytes: [UInt8]) -> [UInt8] {
        bytes.withUnsafeBytes { hasher.update($0) }
        length += UInt64(bytes.count)
        return bytes
    }

    private func writePayload(
        _ layout: PayloadLayout, into output: inout [UInt8], _ give: ([UInt8], UInt64) -> Void
    ) throws -> [(offset: UInt64, length: UInt32)] {
        var frames: [(offset: UInt64, length: UInt32)] = []
        func flush() throws {
            let start = output.count
            try encoder.encode(staging, role: .payload, offset: length + UInt64(start), sealer: sealer, into: &output)
            frames.append((length + UInt64(start), UInt32(output.count - start)))
            staging.removeAll(keepingCapacity: true)
            if output.count >= FrameBounds.groupMax { hand(&output, give) }
        }
        staging.removeAll(keepingCapacity: true)
        staging.reserveCapacity(FrameBounds.payloadMax)
        // Where each operation's bytes begin among its transaction's.
        let starts = group.map { transaction in
            var start = 0
            return transaction.operations.map { operation in
                defer { start += operation.payloadLength }
                return start
            }
        }
        for piece in layout.pieces {
            var start = starts[piece.transaction][piece.operation]
            let end = start + piece.length
            while start < end {
                let count = min(end - start, FrameBounds.payloadMax - staging.count)
                payload.copy(start..<start + count, of: piece.transaction, to: &staging)
                start += count
                if staging.count == FrameBounds.payloadMax { try flush() }
            }
        }
        if !staging.isEmpty { try flush() }
        return frames
    }
}

/// A finished object, as the head lists it.
package struct SealedObject: Hashable, Sendable {
    package var first: LSN
    package var last: LSN
    package var firstTime: Instant
    package var lastTime: Instant
    package var epoch: UInt64
    package var id: ObjectID
    /// Bytes.
    package var size: UInt64
    /// SHA-256 of the whole object.
    package var hash: [UInt8]
    package var tailOffset: UInt64
    package var tailLength: UInt32
    package var highestInode: InodeNumber
    /// Of a segment: its cuts whose files may be torn.
    package var fuzzy: FuzzyCuts

    package init(
        first: LSN, last: LSN, firstTime: Instant, lastTime: Instant, epoch: UInt64, id: ObjectID, size: UInt64, hash: [UInt8],
        tailOffset: UInt64, tailLength: UInt32, highestInode: InodeNumber, fuzzy: FuzzyCuts = FuzzyCuts()
    ) {
        self.first = first
        self.last = last
        self.firstTime = firstTime
        self.lastTime = lastTime
        self.epoch = epoch
        self.id = id
        self.size = size
        self.hash = hash
        self.tailOffset = tailOffset
        self.tailLength = tailLength
        self.highestInode = highestInode
        self.fuzzy = fuzzy
    }
}

/// Appends the tail's frame and the trailer; returns where the frame is.
func appendTail(
    _ tail: ObjectTail, id: ObjectID, at start: UInt64, encoder: FrameEncoder, sealer: FrameSealer, to output: inout [UInt8]
) throws(FrameError) -> (offset: UInt64, length: UInt32) {
    let offset = start + UInt64(output.count)
    try encoder.encode(tail.encode(), role: .tail, offset: offset, sealer: sealer, into: &output)
    let length = UInt32(start + UInt64(output.count) - offset)
    output.append(contentsOf: ObjectTail.trailer(tailOffset: offset, tailLength: length, id: id))
    return (offset, length)
}

extension ChangeSet {
    /// Applies a group's transactions, up to and including `limit` where one is given.
    package func apply(
        _ transactions: [Transaction], layout: PayloadLayout, frames: [(offset: UInt64, length: UInt32)], object: UInt32,
        upTo limit: LSN? = nil
    ) {
        var pieces: [Int: [Int: PayloadLayout.Piece]] = [:]
        pieces.reserveCapacity(layout.pieces.count)
        for piece in layout.pieces { pieces[piece.transaction, default: [:]][piece.operation] = piece }
        for (index, transaction) in transactions.enumerated() {
            if let limit, transaction.lsn > limit { return }
            apply(transaction.operations, verb: transaction.verb) { operation in
                pieces[index]?[operation].map { layout.extents(of: $0, frames: frames, object: object) } ?? []
            }
        }
    }
}
