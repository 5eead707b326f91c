internal import AsofCore
internal import AsofSystem
internal import CLinux
internal import Glibc

/// The records of a `KnownTree`, numbered ("slots"), in chunks of fixed size: growing never copies what is there. Slots are used again;
/// the memory of a tree that has shrunk is kept for it to grow again.
struct KnownRecords {
    typealias Slot = UInt32

    private var chunks: [RecordChunk] = []
    private var end: Slot = 0
    /// Slots that are not used, linked by `next`.
    private var free = KnownRecord.none
    /// Nobody outside can tell which keys get the same hash.
    let seed = UInt64.random(in: .min ... .max)

    /// A file system's handles are all of one type and length (ext4: 8 bytes, XFS: 8 or 12, Btrfs: 20), which are held once.
    private var handleType: UInt32 = 0
    /// Without the type; 0: none has come yet.
    private var handleLength = 0
    private var oddHandles: [Slot: StableHandle] = [:]
    private static let typeLength = 4

    var byteCount: Int {
        chunks.capacity * MemoryLayout<RecordChunk>.stride + chunks.reduce(0) { $0 + $1.byteCount } + oddHandles.capacity * 96
    }

    subscript(slot: Slot) -> KnownRecord {
        get { chunks[Int(slot) / RecordChunk.count][Int(slot) % RecordChunk.count] }
        set { chunks[Int(slot) / RecordChunk.count][Int(slot) % RecordChunk.count] = newValue }
    }

    mutating func take() -> Slot {
        let slot = free
        if slot == KnownRecord.none {
            if Int(end) == chunks.count * RecordChunk.count { chunks.append(RecordChunk()) }
            end += 1
            self[end - 1].flags = .used
            return end - 1
        }
        free = self[slot].next
        self[slot] = KnownRecord()
        self[slot].flags = .used
        return slot
    }

    mutating func giveBack(_ slot: Slot) {
        forgetHandle(of: slot)
        self[slot] = KnownRecord()
        self[slot].next = free
        free = slot
    }

    // MARK: Numbers

    func hash(_ number: InodeNumber) -> UInt64 { SlotTable.hash(number.rawValue ^ seed) }

    func numberHash(of slot: Slot) -> UInt64 { hash(InodeNumber(self[slot].number)) }

    // MARK: Names

    func name(of slot: Slot) -> Name {
        chunks[Int(slot) / RecordChunk.count].withName(of: Int(slot) % RecordChunk.count) { Name(unchecked: Array($0)) }
    }

    mutating func setName(_ name: Name, of slot: Slot) {
        chunks[Int(slot) / RecordChunk.count].setName(name.bytes, of: Int(slot) % RecordChunk.count)
    }

    func isNamed(_ name: Name, in parent: Slot, _ slot: Slot) -> Bool {
        let record = self[slot]
        guard record.parent == parent, Int(record.nameLength) == name.bytes.count else { return false }
        return chunks[Int(slot) / RecordChunk.count].withName(of: Int(slot) % RecordChunk.count) { held in
            name.bytes.withUnsafeBytes { Self.isEqual(held, $0) }
        }
    }

    func hash(_ name: Name, in parent: Slot) -> UInt64 { name.bytes.withUnsafeBytes { Self.hash($0, seed ^ UInt64(parent)) } }

    func placeHash(of slot: Slot) -> UInt64 {
        let seed = seed ^ UInt64(self[slot].parent)
        return chunks[Int(slot) / RecordChunk.count].withName(of: Int(slot) % RecordChunk.count) { Self.hash($0, seed) }
    }

    // MARK: Handles

    func handle(of slot: Slot) -> StableHandle {
        if self[slot].flags.contains(.oddHandle) { return oddHandles[slot] ?? StableHandle(bytes: []) }
        return chunks[Int(slot) / RecordChunk.count].withHandle(of: Int(slot) % RecordChunk.count, length: handleLength) { common in
            StableHandle(
                bytes: [UInt8](unsafeUninitializedCapacity: Self.typeLength + common.count) { bytes, count in
                    let bytes = UnsafeMutableRawBufferPointer(bytes)
                    bytes.storeBytes(of: handleType, as: UInt32.self)
                    UnsafeMutableRawBufferPointer(rebasing: bytes[Self.typeLength...]).copyMemory(from: common)
                    count = Self.typeLength + common.count
                })
        }
    }

    mutating func setHandle(_ handle: StableHandle, of slot: Slot) {
        forgetHandle(of: slot)
        if handleLength == 0, handle.bytes.count > Self.typeLength {
            handleType = Self.type(handle)
            handleLength = handle.bytes.count - Self.typeLength
        }
        if isCommon(handle) {
            chunks[Int(slot) / RecordChunk.count].setHandle(handle.bytes[Self.typeLength...], of: Int(slot) % RecordChunk.count)
        } else {
            oddHandles[slot] = handle
            self[slot].flags.insert(.oddHandle)
        }
    }

    func hasHandle(_ handle: StableHandle, _ slot: Slot) -> Bool {
        guard isCommon(handle) else { return oddHandles[slot] == handle }
        if self[slot].flags.contains(.oddHandle) { return false }
        return chunks[Int(slot) / RecordChunk.count].withHandle(of: Int(slot) % RecordChunk.count, length: handleLength) { common in
            handle.bytes.withUnsafeBytes { Self.isEqual(common, UnsafeRawBufferPointer(rebasing: $0[Self.typeLength...])) }
        }
    }

    func hash(_ handle: StableHandle) -> UInt64 {
        // The type does not count where it is the common one: it is not at hand with a handle that is held.
        let start = isCommon(handle) ? Self.typeLength : 0
        return handle.bytes.withUnsafeBytes { Self.hash(UnsafeRawBufferPointer(rebasing: $0[start...]), seed) }
    }

    func handleHash(of slot: Slot) -> UInt64 {
        if self[slot].flags.contains(.oddHandle) { return hash(handle(of: slot)) }
        let seed = seed
        return chunks[Int(slot) / RecordChunk.count].withHandle(of: Int(slot) % RecordChunk.count, length: handleLength) { Self.hash($0, seed) }
    }

    private mutating func forgetHandle(of slot: Slot) {
        if self[slot].flags.remove(.oddHandle) != nil { oddHandles[slot] = nil }
    }

    private func isCommon(_ handle: StableHandle) -> Bool {
        handleLength > 0 && handle.bytes.count == Self.typeLength + handleLength && Self.type(handle) == handleType
    }

    /// Of a handle that is long enough to have one.
    private static func type(_ handle: StableHandle) -> UInt32 { handle.bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) } }

    // MARK: Bytes

    private static func hash(_ bytes: UnsafeRawBufferPointer, _ seed: UInt64) -> UInt64 { asof_mix64(seed, bytes.baseAddress, bytes.count) }

    private static func isEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        guard left.count == right.count, let start = left.baseAddress, let other = right.baseAddress else { return left.count == right.count }
        return memcmp(start, other, left.count) == 0
    }
}
