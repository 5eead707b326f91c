internal import AsofCore
internal import AsofSystem
internal import AsofWeaviate

extension KnownTree {
    /// A file or directory that the tree does not know; it has no name yet.
    mutating func add(_ inode: InodeNumber, _ handle: StableHandle, _ attributes: Attributes, _ kind: DataFileKind) {
        let slot = slotMade(for: inode)
        forget(slot)
        records[slot].flags.insert(.known)
        records[slot].kind = kinds.index(of: kind)
        write(attributes, slot)
        count += 1
        // A handle means one file, the newest.
        if let other = self.slot(of: handle) { leaveHandles(other) }
        records.setHandle(handle, of: slot)
        enterHandles(slot)
    }

    // What is said of a number that the tree does not know is ignored.

    mutating func setAttributes(_ attributes: Attributes, of inode: InodeNumber) {
        guard let slot = knownSlot(of: inode) else { return }
        // How digests are held depends on the size.
        let digests = records[slot].size == attributes.size ? nil : digests(slot)
        write(attributes, slot)
        if let digests { write(digests, slot) }
    }

    mutating func setKind(_ kind: DataFileKind, of inode: InodeNumber) {
        guard let slot = knownSlot(of: inode) else { return }
        records[slot].kind = kinds.index(of: kind)
    }

    mutating func setExtendedAttributes(_ attributes: [Name: [UInt8]], of inode: InodeNumber) {
        guard let slot = knownSlot(of: inode) else { return }
        if records[slot].flags.remove(.extendedAttributes) != nil { extendedAttributes[slot] = nil }
        guard !attributes.isEmpty else { return }
        records[slot].flags.insert(.extendedAttributes)
        extendedAttributes[slot] = attributes
    }

    /// Forgets it; its entries and names must be gone.
    mutating func remove(_ inode: InodeNumber) {
        guard let slot = knownSlot(of: inode) else { return }
        forget(slot)
        while records[slot].flags.contains(.children) { reap(detach(records[slot].firstChild)) }
        reap(slot)
    }

    // MARK: Records

    /// The record of a number; a ghost where there is none.
    mutating func slotMade(for inode: InodeNumber) -> Slot {
        if let slot = slot(of: inode) { return slot }
        let slot = records.take()
        records[slot].number = inode.rawValue
        enterNumbers(slot)
        return slot
    }

    /// Gives a ghost's record back when no entry speaks of it any more.
    mutating func reap(_ slot: Slot) {
        let record = records[slot]
        guard record.flags.contains(.used), record.flags.isDisjoint(with: [.known, .children]), record.nameLength == 0 else { return }
        leaveNumbers(slot)
        records.giveBack(slot)
    }

    /// Makes a ghost of a record.
    private mutating func forget(_ slot: Slot) {
        guard records[slot].flags.contains(.known) else { return }
        count -= 1
        leaveHandles(slot)
        write(nil, slot)
        extendedAttributes[slot] = nil
        records[slot].flags.subtract([.known, .directory, .extendedAttributes])
        records[slot].names = 0
    }

    private mutating func write(_ attributes: Attributes, _ slot: Slot) {
        if attributes.isDirectory { records[slot].flags.insert(.directory) } else { records[slot].flags.remove(.directory) }
        records[slot].size = attributes.size
        records[slot].modified = attributes.modified.nanoseconds
        records[slot].fingerprint = attributes.fingerprint(seed: records.seed)
    }
}
