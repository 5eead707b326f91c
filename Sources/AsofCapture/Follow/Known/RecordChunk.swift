/// 256 records with their names and handles. Small enough that making room for a name, which copies the names of one chunk, takes microseconds.
struct RecordChunk {
    static let count = 256

    private var records = [KnownRecord](repeating: KnownRecord(), count: Self.count)
    /// As many bytes for each record, once one of them has a handle.
    private var handles: [UInt8] = []
    private var names: [UInt8] = []

    /// Bytes of memory; each array has a header, and malloc another one.
    var byteCount: Int { records.capacity * MemoryLayout<KnownRecord>.stride + handles.capacity + names.capacity + 3 * 48 }

    subscript(index: Int) -> KnownRecord {
        // Without a look at the array's header, which is in another cache line than the record.
        get { records.withUnsafeBufferPointer { $0[index] } }
        set { records[index] = newValue }
    }

    // MARK: Names

    func withName<Result>(of index: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let record = self[index]
        let start = Int(record.nameStart)
        return names.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[start..<start + Int(record.nameLength)])) }
    }

    /// A name has 1 to 255 bytes; what the record had for a name before is forgotten.
    mutating func setName(_ name: [UInt8], of index: Int) {
        records[index].nameLength = 0
        if names.count + name.count > min(names.capacity, Int(UInt16.max)) { makeRoom(for: name.count) }
        records[index].nameStart = UInt16(names.count)
        records[index].nameLength = UInt8(name.count)
        names.append(contentsOf: name)
    }

    /// Leaves behind what names that are gone took. All others fit below 64 KiB with any one more: 256 times 255 bytes.
    private mutating func makeRoom(for count: Int) {
        let needed = records.reduce(count) { $0 + Int($1.nameLength) }
        var packed: [UInt8] = []
        packed.reserveCapacity(needed + max(64, needed / 8))
        for index in records.indices where records[index].nameLength > 0 {
            let start = packed.count
            withName(of: index) { packed.append(contentsOf: $0) }
            records[index].nameStart = UInt16(start)
        }
        names = packed
    }

    // MARK: Handles

    func withHandle<Result>(of index: Int, length: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        handles.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[index * length..<(index + 1) * length])) }
    }

    /// All that come have the same length.
    mutating func setHandle(_ handle: ArraySlice<UInt8>, of index: Int) {
        if handles.isEmpty { handles = [UInt8](repeating: 0, count: Self.count * handle.count) }
        handles.replaceSubrange(index * handle.count..<(index + 1) * handle.count, with: handle)
    }
}
