internal import AsofCore

extension KnownTree {
    /// `name` in `parent` means `target` from now on. Returns what it meant before.
    @discardableResult
    mutating func setEntry(_ parent: InodeNumber, _ name: Name, _ target: InodeNumber?) -> InodeNumber? {
        guard let directory = target == nil ? slot(of: parent) : slotMade(for: parent) else { return nil }
        let entry = slot(of: name, in: directory)
        let before = entry.map { InodeNumber(records[$0].number) }
        guard before != target else { return before }
        let file = target.map { slotMade(for: $0) }
        let left = entry.map { detach($0) }
        if let file { attach(file, name, in: directory) }
        // Only now: what was left may be the directory itself.
        if let left { reap(left) }
        reap(directory)
        return before
    }

    private mutating func attach(_ file: Slot, _ name: Name, in directory: Slot) {
        // Names of what nobody knows are not counted, not even later.
        if records[file].flags.contains(.known) { records[file].names += 1 }
        link(records[file].nameLength == 0 ? file : aliasMade(for: file), name, in: directory)
    }

    /// Takes a name away. Returns the record of what it meant, for `reap`.
    mutating func detach(_ named: Slot) -> Slot {
        let isAlias = records[named].flags.contains(.alias)
        let file = isAlias ? records[named].target : named
        if records[file].flags.contains(.known) { records[file].names -= 1 }
        unlink(named)
        if isAlias {
            dropAlias(named)
        } else if let alias = newestAlias[file] {
            // What has names has one in its own record.
            let (name, directory) = (records.name(of: alias), records[alias].parent)
            unlink(alias)
            dropAlias(alias)
            link(file, name, in: directory)
        }
        return file
    }

    // MARK: A directory's list

    private mutating func link(_ slot: Slot, _ name: Name, in directory: Slot) {
        records.setName(name, of: slot)
        records[slot].parent = directory
        enterNames(slot)
        moveTailAside(directory)
        let first = records[directory].firstChild
        if first != KnownRecord.none { records[first].previous = slot }
        records[slot].next = first
        records[slot].previous = KnownRecord.none
        records[directory].firstChild = slot
    }

    private mutating func unlink(_ slot: Slot) {
        leaveNames(slot)
        let record = records[slot]
        if record.next != KnownRecord.none { records[record.next].previous = record.previous }
        if record.previous != KnownRecord.none {
            records[record.previous].next = record.next
        } else {
            records[record.parent].firstChild = record.next
        }
        records[slot].nameLength = 0
    }

    // MARK: A file's list of aliases

    private mutating func aliasMade(for file: Slot) -> Slot {
        let alias = records.take()
        let older = newestAlias[file] ?? KnownRecord.none
        records[alias].flags.insert(.alias)
        records[alias].number = records[file].number
        records[alias].target = file
        records[alias].olderAlias = older
        records[alias].newerAlias = KnownRecord.none
        if older != KnownRecord.none { records[older].newerAlias = alias }
        newestAlias[file] = alias
        return alias
    }

    private mutating func dropAlias(_ alias: Slot) {
        let record = records[alias]
        if record.olderAlias != KnownRecord.none { records[record.olderAlias].newerAlias = record.newerAlias }
        if record.newerAlias != KnownRecord.none {
            records[record.newerAlias].olderAlias = record.olderAlias
        } else {
            newestAlias[record.target] = record.olderAlias == KnownRecord.none ? nil : record.olderAlias
        }
        records.giveBack(alias)
    }
}
