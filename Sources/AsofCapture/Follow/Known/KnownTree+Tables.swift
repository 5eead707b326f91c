internal import AsofCore

/// The tables follow the records: a record enters a table when it has what it is found by, and leaves it while it still has it.
///
/// Each copies `records`, which costs nothing, for the time of its call: a table that moves elements asks for their hashes.
extension KnownTree {
    mutating func enterNumbers(_ slot: Slot) {
        let records = records
        byNumber.insert(slot, records.numberHash(of: slot)) { records.numberHash(of: $0) }
    }

    mutating func leaveNumbers(_ slot: Slot) {
        let records = records
        byNumber.remove(slot, records.numberHash(of: slot)) { records.numberHash(of: $0) }
    }

    mutating func enterHandles(_ slot: Slot) {
        let records = records
        byHandle.insert(slot, records.handleHash(of: slot)) { records.handleHash(of: $0) }
    }

    mutating func leaveHandles(_ slot: Slot) {
        let records = records
        byHandle.remove(slot, records.handleHash(of: slot)) { records.handleHash(of: $0) }
    }

    mutating func enterNames(_ slot: Slot) {
        let records = records
        byName.insert(slot, records.placeHash(of: slot)) { records.placeHash(of: $0) }
    }

    mutating func leaveNames(_ slot: Slot) {
        let records = records
        byName.remove(slot, records.placeHash(of: slot)) { records.placeHash(of: $0) }
    }

    /// Bytes of memory that the tree uses. Goes through its chunks, not its files.
    var byteCount: Int {
        // Dictionaries hold an eighth to a half more than their elements.
        let digests = otherDigests.values.reduce(otherDigests.capacity * 48) { $0 + $1.byteCount }
        let attributes = extendedAttributes.values.reduce(extendedAttributes.capacity * 20) { sum, attributes in
            attributes.reduce(sum + 48) { $0 + 128 + $1.key.bytes.count + $1.value.count }
        }
        return records.byteCount + byNumber.byteCount + byHandle.byteCount + byName.byteCount + newestAlias.capacity * 12 + digests + attributes
    }
}
