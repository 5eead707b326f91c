internal import AsofSystem

/// What `asof status` says of following.
package struct FollowFigures: Codable, Sendable {
    /// The server; nil: none runs.
    package var process: Int32?
    package var processes = 0
    package var stoppedBy: String?
    /// Processes that may not be looked into: should one of them write here, it is not stopped.
    package var hiddenProcesses = 0
    /// `fanotify` or `inotify`, and why no better one.
    package var watch = ""
    package var watchReason = ""
    package var watchedDirectories = 0
    /// Times that the kernel lost events, so that everything was looked through.
    package var overflows = 0
    /// Files and directories known, and the bytes of memory that they take.
    package var files = 0
    package var knownBytes = 0
    /// Bytes of memory of the whole process.
    package var memory: UInt64 = 0
    /// Nanoseconds between two ticks.
    package var tick: Int64 = 0
    package var ticks: UInt64 = 0
    /// Ticks with changes, and with a stop.
    package var stops: UInt64 = 0
    package var fuzzyTicks: UInt64 = 0
    /// Which files may be torn in the newest fuzzy state.
    package var torn: [String] = []
    package var missedTicks: UInt64 = 0
    /// Microseconds, of the last 1024 stops: how long the server stood still.
    package var stallMedian: Int64 = 0
    package var stall99: Int64 = 0
    package var stallMax: Int64 = 0
    /// Of the last tick with changes: files looked at, those of them in the stop, bytes logged.
    package var changedFiles = 0
    package var changedInStop = 0
    package var changedBytes: UInt64 = 0
    /// Nanoseconds from the state that the newest tick is of until it was captured durably: the median and the 99th of 100, of the last 1024.
    package var durableMedian: Int64 = 0
    package var durable99: Int64 = 0
    /// Nanoseconds since everything that happened is captured here, and stored in the repository; nil: nothing is yet.
    package var capturedLag: Int64?
    package var storedLag: Int64?
    /// What was read again of files at rest; nil: nobody asked for that.
    package var audit: Audit?
    private var stalls = Samples()
    private var delays = Samples()

    enum CodingKeys: CodingKey {
        case process, processes, stoppedBy, hiddenProcesses, watch, watchReason, watchedDirectories, overflows, files, knownBytes, memory
        case tick, ticks, stops, fuzzyTicks, torn, missedTicks, stallMedian, stall99, stallMax, changedFiles, changedInStop, changedBytes
        case durableMedian, durable99, capturedLag, storedLag, audit
    }

    package struct Audit: Codable, Sendable {
        package var files: Int
        package var bytes: UInt64
        /// Files that were not what the log said.
        package var differences: Int
        /// Times that everything was gone through.
        package var rounds: Int
    }

    mutating func note(stall: Duration) {
        stops += 1
        stalls.add(stall.nanoseconds / 1000)
    }

    mutating func note(durableAfter nanoseconds: Int64) { delays.add(nanoseconds) }

    /// Works out what only a reader needs.
    mutating func summarize() {
        (stallMedian, stall99, stallMax) = (stalls.quantile(0.5), stalls.quantile(0.99), stalls.quantile(1))
        (durableMedian, durable99) = (delays.quantile(0.5), delays.quantile(0.99))
    }

    /// The last 1024 of something.
    private struct Samples {
        private var values: [Int64] = []
        private var next = 0

        mutating func add(_ value: Int64) {
            if values.count < 1024 { values.append(value) } else { values[next] = value }
            next = (next + 1) % 1024
        }

        func quantile(_ part: Double) -> Int64 {
            let sorted = values.sorted()
            return sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * part))]
        }
    }
}
