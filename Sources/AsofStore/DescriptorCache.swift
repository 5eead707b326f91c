internal import AsofSystem

/// Open descriptors of immutable objects, the least recently used closed first.
///
/// A descriptor outlives its object's name. So whoever changes a name calls `forget` afterwards, and whoever opens a file says
/// which generation it was opened in: one opened before a change is not kept.
struct DescriptorCache {
    private struct Entry {
        var descriptor: SharedDescriptor
        var used: UInt64
    }

    private let capacity: Int
    private var entries: [String: Entry] = [:]
    private var clock: UInt64 = 0
    /// Counts changes of names.
    private(set) var generation: UInt64 = 0

    init(capacity: Int) { self.capacity = capacity }

    var count: Int { entries.count }

    mutating func find(_ name: String) -> SharedDescriptor? {
        guard let descriptor = entries[name]?.descriptor else { return nil }
        clock += 1
        entries[name]?.used = clock
        return descriptor
    }

    mutating func keep(_ descriptor: SharedDescriptor, as name: String, openedIn generation: UInt64) {
        guard generation == self.generation, capacity > 0 else { return }
        // A scan of at most `capacity` entries, beside an open that cost more.
        if entries.count >= capacity, entries[name] == nil,
            let oldest = entries.min(by: { $0.value.used < $1.value.used })?.key
        {
            entries[oldest] = nil
        }
        clock += 1
        entries[name] = Entry(descriptor: descriptor, used: clock)
    }

    mutating func forget(_ name: String) {
        generation += 1
        entries[name] = nil
    }
}
