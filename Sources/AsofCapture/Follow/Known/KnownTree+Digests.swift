internal import AsofCore

extension KnownTree {
    /// What the log has of a file's bytes, as far as its kind needs that; nil: nothing is remembered.
    func digests(of inode: InodeNumber) -> ContentDigests? {
        guard let slot = knownSlot(of: inode) else { return nil }
        return digests(slot)
    }

    mutating func setDigests(_ digests: ContentDigests?, of inode: InodeNumber) {
        guard let slot = knownSlot(of: inode) else { return }
        write(digests, slot)
    }

    func digests(_ slot: Slot) -> ContentDigests? {
        let record = records[slot]
        if record.flags.contains(.tail) { return ContentDigests(tail: record.link, length: record.size) }
        if record.flags.contains(.unseen) { return ContentDigests(unseen: record.size) }
        return record.flags.contains(.otherDigests) ? otherDigests[slot] : nil
    }

    /// Of a file at rest, whose every logged byte is below its size, the record itself holds them.
    mutating func write(_ digests: ContentDigests?, _ slot: Slot) {
        if records[slot].flags.contains(.otherDigests) { otherDigests[slot] = nil }
        records[slot].flags.subtract(.digests)
        guard let digests else { return }
        switch digests.length == records[slot].size ? digests.summary : nil {
        case .unseen: records[slot].flags.insert(.unseen)
        case .tail(let digest) where !records[slot].flags.contains(.children):
            records[slot].flags.insert(.tail)
            records[slot].link = digest
        default:
            records[slot].flags.insert(.otherDigests)
            otherDigests[slot] = digests
        }
    }

    /// Makes room for what else a record may link to.
    mutating func moveTailAside(_ slot: Slot) {
        guard records[slot].flags.contains(.tail) else { return }
        otherDigests[slot] = digests(slot)
        records[slot].flags.remove(.tail)
        records[slot].flags.insert(.otherDigests)
    }
}
