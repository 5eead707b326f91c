package import AsofCore
internal import AsofSystem

/// Tries a call again while the store is `.unavailable`, waiting twice as long each time. Other failures pass at once.
///
/// A conditional put that failed may have happened. So when a later try finds the object there, the one there is compared: the
/// very bytes we wanted to put count as ours. Content that must have one winner therefore names its writer (an epoch, a random
/// id). A swap whose answer was lost and that others have swapped over since is reported as nil, as nobody can tell: whoever
/// starts again after a nil looks whether the new content holds its change already.
package final class RetryingStore: ObjectStore {
    package var description: String { base.description }

    private let base: any ObjectStore
    private let attempts: Int
    private let backoff: Duration
    private let longest: Duration
    private let sleep: @Sendable (Duration) -> Void

    /// - Parameters:
    ///   - attempts: calls in all, at least one.
    ///   - backoff: the wait before the second attempt.
    ///   - longest: no wait is longer.
    package init(
        _ base: any ObjectStore, attempts: Int = 6, backoff: Duration = .milliseconds(100), longest: Duration = .seconds(10),
        sleep: @escaping @Sendable (Duration) -> Void = { SystemClock.sleep($0) }
    ) {
        self.base = base
        self.attempts = max(attempts, 1)
        self.backoff = backoff
        self.longest = longest
        self.sleep = sleep
    }

    /// `body` learns whether an earlier try may have had its effect.
    private func retrying<R>(_ body: (_ isRepeated: Bool) throws(AsofError) -> R) throws(AsofError) -> R {
        var wait = min(backoff, longest)
        var attempt = 1
        while true {
            do throws(AsofError) {
                return try body(attempt > 1)
            } catch {
                guard error.code == .unavailable else { throw error }
                guard attempt < attempts else {
                    if attempts == 1 { throw error }
                    throw AsofError(error.code, "\(error.message) (tried \(attempts) times)", hint: error.hint)
                }
            }
            sleep(wait)
            wait = min(wait * 2, longest)
            attempt += 1
        }
    }

    package func get(_ name: String) throws(AsofError) -> StoredObject? {
        try retrying { (_) throws(AsofError) in try base.get(name) }
    }

    package func get(
        _ name: String, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(AsofError) {
        try retrying { (_) throws(AsofError) in try base.get(name, at: offset, into: buffer) }
    }

    package func size(_ name: String) throws(AsofError) -> UInt64? {
        try retrying { (_) throws(AsofError) in try base.size(name) }
    }

    package func put(_ name: String, _ bytes: [UInt8]) throws(AsofError) {
        try retrying { (_) throws(AsofError) in try base.put(name, bytes) }
    }

    package func put(_ name: String, fromDescriptor descriptor: Int32) throws(AsofError) {
        try retrying { (_) throws(AsofError) in try base.put(name, fromDescriptor: descriptor) }
    }

    package func putIfAbsent(_ name: String, _ bytes: [UInt8]) throws(AsofError) -> Bool {
        try retrying { (isRepeated) throws(AsofError) in
            if try base.putIfAbsent(name, bytes) { return true }
            guard isRepeated else { return false }
            return try base.get(name)?.bytes == bytes
        }
    }

    package func put(
        _ name: String, _ bytes: [UInt8], ifUnchanged version: ObjectVersion
    ) throws(AsofError) -> ObjectVersion? {
        try retrying { (isRepeated) throws(AsofError) in
            if let new = try base.put(name, bytes, ifUnchanged: version) { return new }
            guard isRepeated, let current = try base.get(name), current.bytes == bytes else { return nil }
            return current.version
        }
    }

    package func delete(_ name: String) throws(AsofError) {
        try retrying { (_) throws(AsofError) in try base.delete(name) }
    }

    package func list(prefix: String) throws(AsofError) -> [ListedObject] {
        try retrying { (_) throws(AsofError) in try base.list(prefix: prefix) }
    }

    package func firstEntry() throws(AsofError) -> String? {
        try retrying { (_) throws(AsofError) in try base.firstEntry() }
    }
}
