internal import AsofCore
internal import CLinux
internal import Glibc

/// Which token a directory's handle has: looked up by bytes as they lie in an event, without making an object of them.
///
/// Handles lie behind one another in one arena, and two hash tables hold indices into an array of entries: about 50 bytes for a
/// directory, where a dictionary of `StableHandle` takes three times that and an allocation for each.
package struct HandleTable {
    private struct Entry {
        var start: Int
        var length: UInt16
        var token: UInt64
    }

    private var entries: [Entry] = []
    /// Indices of entries nobody uses.
    private var free: [UInt32] = []
    private var arena: [UInt8] = []
    /// Bytes of the arena that belong to removed entries.
    private var wasted = 0
    private var byHandle = SlotTable()
    private var byToken = SlotTable()

    package init() {}

    package var count: Int { byToken.count }

    /// Memory that it uses.
    package var byteCount: Int {
        entries.capacity * MemoryLayout<Entry>.stride + arena.capacity + free.capacity * 4 + byHandle.byteCount + byToken.byteCount
    }

    package func token(of handle: UnsafeRawBufferPointer) -> WatchToken? {
        guard let index = index(of: handle) else { return nil }
        return WatchToken(entries[Int(index)].token)
    }

    /// A handle has one token and a token one handle: the newest pair wins.
    package mutating func set(_ handle: UnsafeRawBufferPointer, _ token: WatchToken) {
        remove(token)
        if let index = index(of: handle) {
            leaveTokens(index)
            entries[Int(index)].token = token.rawValue
            enterTokens(index)
            return
        }
        let entry = Entry(start: arena.count, length: UInt16(clamping: handle.count), token: token.rawValue)
        arena.append(contentsOf: handle.prefix(Int(entry.length)))
        let index: UInt32
        if let reused = free.popLast() {
            entries[Int(reused)] = entry
            index = reused
        } else {
            index = UInt32(entries.count)
            entries.append(entry)
        }
        enterHandles(index)
        enterTokens(index)
    }

    package mutating func remove(_ token: WatchToken) {
        guard let index = index(of: token) else { return }
        leaveHandles(index)
        leaveTokens(index)
        free.append(index)
        wasted += Int(entries[Int(index)].length)
        entries[Int(index)].length = 0
        if wasted > 4096, wasted > arena.count / 2 { compactArena() }
    }

    // MARK: Finding entries

    private func index(of handle: UnsafeRawBufferPointer) -> UInt32? {
        var probe = byHandle.probe(Self.hash(handle))
        while let index = byHandle.next(&probe) {
            let entry = entries[Int(index)]
            if Int(entry.length) == handle.count, arena[entry.start..<(entry.start + Int(entry.length))].elementsEqual(handle) { return index }
        }
        return nil
    }

    private func index(of token: WatchToken) -> UInt32? {
        var probe = byToken.probe(SlotTable.hash(UInt64(token.rawValue)))
        while let index = byToken.next(&probe) { if entries[Int(index)].token == token.rawValue { return index } }
        return nil
    }

    private static func hash(_ handle: UnsafeRawBufferPointer) -> UInt64 { asof_mix64(0, handle.baseAddress, handle.count) }

    // MARK: The tables

    // Each copies the arrays, which costs nothing, for the time of its call: a table that moves elements asks for their hashes.

    private mutating func enterHandles(_ index: UInt32) {
        let hashOf = handleHash
        byHandle.insert(index, hashOf(index), hashOf: hashOf)
    }

    private mutating func leaveHandles(_ index: UInt32) {
        let hashOf = handleHash
        byHandle.remove(index, hashOf(index), hashOf: hashOf)
    }

    private mutating func enterTokens(_ index: UInt32) {
        let hashOf = tokenHash
        byToken.insert(index, hashOf(index), hashOf: hashOf)
    }

    private mutating func leaveTokens(_ index: UInt32) {
        let hashOf = tokenHash
        byToken.remove(index, hashOf(index), hashOf: hashOf)
    }

    private var handleHash: (UInt32) -> UInt64 {
        { [entries, arena] index in
            let entry = entries[Int(index)]
            return arena.withUnsafeBytes { Self.hash(UnsafeRawBufferPointer(rebasing: $0[entry.start..<(entry.start + Int(entry.length))])) }
        }
    }

    private var tokenHash: (UInt32) -> UInt64 { { [entries] index in SlotTable.hash(UInt64(entries[Int(index)].token)) } }

    // MARK: The arena

    private mutating func compactArena() {
        var compact: [UInt8] = []
        compact.reserveCapacity(arena.count - wasted)
        for index in entries.indices where entries[index].length > 0 {
            let entry = entries[index]
            entries[index].start = compact.count
            compact.append(contentsOf: arena[entry.start..<(entry.start + Int(entry.length))])
        }
        arena = compact
        wasted = 0
    }
}
