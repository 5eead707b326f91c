/// A moment in UTC, to the nanosecond: signed nanoseconds since 1970-01-01T00:00:00Z (years 1677 to 2262).
package struct Instant: Hashable, Comparable, Sendable {
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// Saturates where the sum lies outside the range that 64 bits of nanoseconds can hold.
    package init(seconds: Int64, nanoseconds: Int64 = 0) {
        self = Instant(exactlySeconds: seconds, nanoseconds: nanoseconds) ?? (seconds < 0 ? .distantPast : .distantFuture)
    }

    /// Nil where the sum lies outside the range that 64 bits of nanoseconds can hold.
    package init?(exactlySeconds seconds: Int64, nanoseconds: Int64) {
        // With different signs, one second moves to the other part: the first second of the range begins before the range does.
        let moved: Int64 = seconds < 0 && nanoseconds > 0 ? 1 : seconds > 0 && nanoseconds < 0 ? -1 : 0
        let (scaled, overflow) = (seconds + moved).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflow2) = scaled.addingReportingOverflow(nanoseconds - moved * 1_000_000_000)
        guard !overflow, !overflow2 else { return nil }
        self.nanoseconds = sum
    }

    package static let distantPast = Instant(nanoseconds: .min)
    package static let distantFuture = Instant(nanoseconds: .max)

    /// Whole seconds, rounded towards the past, so that `subsecond` is never negative.
    package var seconds: Int64 {
        let (quotient, remainder) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        return remainder < 0 ? quotient - 1 : quotient
    }

    /// Nanoseconds within the second: 0 ..< 1,000,000,000.
    package var subsecond: Int64 {
        let remainder = nanoseconds % 1_000_000_000
        return remainder < 0 ? remainder + 1_000_000_000 : remainder
    }

    /// This instant moved by `nanoseconds`; saturates.
    package func advanced(byNanoseconds delta: Int64) -> Instant {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(delta)
        return Instant(nanoseconds: overflow ? (delta < 0 ? .min : .max) : sum)
    }

    /// Nanoseconds from `earlier` to this instant; saturates.
    package func nanoseconds(since earlier: Instant) -> Int64 {
        let (difference, overflow) = nanoseconds.subtractingReportingOverflow(earlier.nanoseconds)
        return overflow ? (nanoseconds < earlier.nanoseconds ? .min : .max) : difference
    }

    package static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }
}
