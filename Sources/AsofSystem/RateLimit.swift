internal import Synchronization

/// Keeps several threads together below so many bytes a second.
package final class RateLimit: Sendable {
    private let bytesPerSecond: UInt64
    /// When what was taken so far is paid for, on the monotonic clock.
    private let paid = Atomic<UInt64>(0)

    /// Nil: no limit.
    package init(bytesPerSecond: UInt64?) { self.bytesPerSecond = max(1, bytesPerSecond ?? .max) }

    /// Sleeps until `bytes` more may go.
    package func take(_ bytes: Int) {
        guard bytesPerSecond < .max else { return }
        let cost = UInt64(Double(bytes) / Double(bytesPerSecond) * 1e9)
        let now = SystemClock.monotonicNanoseconds()
        var before = paid.load(ordering: .relaxed)
        while true {
            let (exchanged, seen) = paid.compareExchange(expected: before, desired: max(before, now) &+ cost, ordering: .relaxed)
            if exchanged { break }
            before = seen
        }
        if before > now { SystemClock.sleep(.nanoseconds(Int64(clamping: before &- now))) }
    }
}
