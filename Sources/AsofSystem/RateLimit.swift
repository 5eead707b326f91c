internal import Synchronization

/// Keeps several threads together below so many bytes a second.
package final class RateLimit: Sendable {
    private let bytesPerSecond: UInt64
    /// When what was taken so far is paid for, on the monotonic clock.
    private let paid = Atomic<UInt64>(0)

    /// Nil: no limit.
    package init(bytesPerSecond: UInt64?) { self.bytesPerSecond = max(1, bytesPerSecond ?? .max) }

    /// Sleeps until `bytes` more may go.
    package func take(_ bytes: Int) { take(bytes) { () throws(Never) in } }

    /// `check` is asked again and again meanwhile; what it throws ends the wait. `bytes`: little enough that a disk takes them at once.
    package func take<Failure: Error>(_ bytes: Int, _ check: () throws(Failure) -> Void) throws(Failure) {
        guard bytesPerSecond < .max else { return }
        let cost = UInt64(Double(bytes) / Double(bytesPerSecond) * 1e9)
        var now = SystemClock.monotonicNanoseconds()
        var before = paid.load(ordering: .relaxed)
        while true {
            let (exchanged, seen) = paid.compareExchange(expected: before, desired: max(before, now) &+ cost, ordering: .relaxed)
            if exchanged { break }
            before = seen
        }
        while before > now &+ Self.leeway {
            try check()
            SystemClock.sleep(.nanoseconds(Int64(min(before &- now, Self.longestSleep))))
            now = SystemClock.monotonicNanoseconds()
        }
    }

    // In nanoseconds.
    private static let longestSleep: UInt64 = 100_000_000
    /// So little is not waited for: such a sleep takes longer than it should, and many of them are a lower rate.
    private static let leeway: UInt64 = 5_000_000
}
