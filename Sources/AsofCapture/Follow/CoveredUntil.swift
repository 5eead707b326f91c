internal import AsofCore
internal import Synchronization

/// Up to when everything that happened is in the log, or will be with the next commit.
final class CoveredUntil: Sendable {
    private let nanoseconds = Atomic<Int64>(0)
    var instant: Instant { Instant(nanoseconds: nanoseconds.load(ordering: .acquiring)) }
    /// Never goes back.
    func set(_ instant: Instant) { nanoseconds.max(instant.nanoseconds, ordering: .acquiringAndReleasing) }
}
