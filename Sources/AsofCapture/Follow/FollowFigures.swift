internal import AsofSystem

/// What `asof status` says of following: of the last 1024 ticks with a stop.
package struct FollowFigures: Codable, Sendable {
    package var process: Int32?
    package var stoppedBy: String?
    package var watch = ""
    package var watchedDirectories = 0
    package var files = 0
    package var ticks: UInt64 = 0
    package var fuzzyTicks: UInt64 = 0
    package var missedTicks: UInt64 = 0
    /// Microseconds.
    package var stallMedian: Int64 = 0
    package var stall99: Int64 = 0
    /// Of the last tick with changes.
    package var changedFiles = 0
    package var changedBytes: UInt64 = 0
    private var stalls: [Int64] = []

    enum CodingKeys: CodingKey {
        case process, stoppedBy, watch, watchedDirectories, files, ticks, fuzzyTicks, missedTicks, stallMedian, stall99, changedFiles, changedBytes
    }

    mutating func note(stall: Duration) {
        let (seconds, attoseconds) = stall.components
        if stalls.count >= 1024 { stalls.removeFirst() }
        stalls.append(seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
        let sorted = stalls.sorted()
        stallMedian = sorted[sorted.count / 2]
        stall99 = sorted[min(sorted.count - 1, sorted.count * 99 / 100)]
    }
}
