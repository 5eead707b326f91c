/// Says yes once in a while, however many ask.
package final class Pace: Sendable {
    private let interval: UInt64
    /// On the monotonic clock.
    private let next = Lock<UInt64>(0)

    package init(seconds: UInt64) { interval = seconds * 1_000_000_000 }

    /// True: whoever asked may do it now, and nobody else for a while.
    package func isDue() -> Bool {
        let now = SystemClock.monotonicNanoseconds()
        return next.withLock { next in
            guard now >= next else { return false }
            next = now + interval
            return true
        }
    }
}
