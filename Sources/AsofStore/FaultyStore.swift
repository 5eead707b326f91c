package import AsofCore
internal import AsofSystem

/// A store that fails as told, waits as told, and counts: for tests of what stands on stores.
package final class FaultyStore: ObjectStore {
    package enum Call: Hashable, Sendable, CaseIterable {
        case get, getRange, size, put, putFromDescriptor, putIfAbsent, putIfUnchanged, delete, list
    }

    /// When a call fails: with nothing done, or with everything done but the answer lost.
    package enum Moment: Hashable, Sendable, CaseIterable {
        case before, after
    }

    package struct Counts: Hashable, Sendable {
        package var calls: [Call: Int] = [:]
        package var bytesRead: UInt64 = 0
        package var bytesWritten: UInt64 = 0

        package subscript(_ call: Call) -> Int { calls[call] ?? 0 }
        package var total: Int { calls.values.reduce(0, +) }
    }

    private struct Fault {
        var call: Call?
        var moment: Moment
        var skip: Int
        var times: Int
        var error: AsofError
    }

    private struct State {
        var counts = Counts()
        var faults: [Fault] = []
        var random: UInt64
        var rate: Double
        var latency = Duration.zero

        /// SplitMix64: the same seed gives the same faults.
        mutating func nextRandom() -> UInt64 {
            random &+= 0x9E37_79B9_7F4A_7C15
            var value = random
            value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            return value ^ (value >> 31)
        }

        mutating func fault(_ call: Call, _ moment: Moment) -> AsofError? {
            for index in faults.indices
            where faults[index].moment == moment && (faults[index].call ?? call) == call && faults[index].times > 0 {
                if faults[index].skip > 0 {
                    faults[index].skip -= 1
                    continue
                }
                faults[index].times -= 1
                return faults[index].error
            }
            // Half of the random faults come before the effect, half after it.
            if rate > 0, Double(nextRandom() >> 11) / Double(1 << 53) < rate / 2 {
                return AsofError(.unavailable, "injected failure \(moment) \(call)")
            }
            return nil
        }
    }

    package var description: String { base.description }
    private let base: any ObjectStore
    private let state: Lock<State>

    /// `rate` of all calls, 0 to 1, fail with `.unavailable`, chosen by `seed`.
    package init(_ base: any ObjectStore, seed: UInt64 = 0, rate: Double = 0) {
        self.base = base
        state = Lock(State(random: seed, rate: rate))
    }

    /// Lets the next `times` calls of that kind (nil: any) fail, after `skipping` of them went well.
    package func fail(
        _ call: Call?, _ moment: Moment = .before, times: Int = 1, skipping: Int = 0,
        with error: AsofError = AsofError(.unavailable, "injected failure")
    ) {
        state.withLock {
            $0.faults.append(Fault(call: call, moment: moment, skip: skipping, times: times, error: error))
        }
    }

    /// Forgets scripted and random faults and latency, as of a store that is well again.
    package func heal() {
        state.withLock {
            $0.faults = []
            $0.rate = 0
            $0.latency = .zero
        }
    }

    /// Each call from now on takes at least this long.
    package func setLatency(_ latency: Duration) { state.withLock { $0.latency = latency } }

    /// Calls since the start or the last reset.
    package var counts: Counts { state.withLock { $0.counts } }

    package func resetCounts() { state.withLock { $0.counts = Counts() } }

    private func calling<R>(
        _ call: Call, read: Int = 0, written: Int = 0, _ body: () throws(AsofError) -> R
    ) throws(AsofError) -> R {
        let (failure, latency) = state.withLock { state in
            state.counts.calls[call, default: 0] += 1
            state.counts.bytesRead += UInt64(read)
            state.counts.bytesWritten += UInt64(written)
            return (state.fault(call, .before), state.latency)
        }
        if latency > .zero { SystemClock.sleep(latency) }
        if let failure { throw failure }
        let result = try body()
        if let failure = state.withLock({ $0.fault(call, .after) }) { throw failure }
        return result
    }

    package func get(_ name: String) throws(AsofError) -> StoredObject? {
        let object = try calling(.get) { () throws(AsofError) in try base.get(name) }
        state.withLock { $0.counts.bytesRead += UInt64(object?.bytes.count ?? 0) }
        return object
    }

    package func get(
        _ name: String, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(AsofError) {
        try calling(.getRange, read: buffer.count) { () throws(AsofError) in try base.get(name, at: offset, into: buffer) }
    }

    package func size(_ name: String) throws(AsofError) -> UInt64? {
        try calling(.size) { () throws(AsofError) in try base.size(name) }
    }

    package func put(_ name: String, _ bytes: [UInt8]) throws(AsofError) {
        try calling(.put, written: bytes.count) { () throws(AsofError) in try base.put(name, bytes) }
    }

    package func put(_ name: String, fromDescriptor descriptor: Int32) throws(AsofError) {
        let size = (try? SystemCall.status(descriptor).attributes.size) ?? 0
        try calling(.putFromDescriptor, written: Int(clamping: size)) { () throws(AsofError) in
            try base.put(name, fromDescriptor: descriptor)
        }
    }

    package func putIfAbsent(_ name: String, _ bytes: [UInt8]) throws(AsofError) -> Bool {
        try calling(.putIfAbsent, written: bytes.count) { () throws(AsofError) in try base.putIfAbsent(name, bytes) }
    }

    package func put(
        _ name: String, _ bytes: [UInt8], ifUnchanged version: ObjectVersion
    ) throws(AsofError) -> ObjectVersion? {
        try calling(.putIfUnchanged, written: bytes.count) { () throws(AsofError) in
            try base.put(name, bytes, ifUnchanged: version)
        }
    }

    package func delete(_ name: String) throws(AsofError) {
        try calling(.delete) { () throws(AsofError) in try base.delete(name) }
    }

    package func list(prefix: String) throws(AsofError) -> [ListedObject] {
        try calling(.list) { () throws(AsofError) in try base.list(prefix: prefix) }
    }

    package func firstEntry() throws(AsofError) -> String? {
        try calling(.list) { () throws(AsofError) in try base.firstEntry() }
    }
}
