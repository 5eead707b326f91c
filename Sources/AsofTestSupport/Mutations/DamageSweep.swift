package import AsofCore
internal import AsofFormat
internal import AsofFrame
internal import AsofRepository
internal import AsofStore
internal import AsofView

/// Every truncation and every flipped bit of every object of a small repository, one after the other: views give the right data, or an
/// error that names the object.
package struct DamageSweep {
    private let history: RecordedHistory
    private let comparison: HistoryComparison

    package init(seed: UInt64, isEncrypted: Bool) throws(AsofError) {
        var options = RecordedHistory.Options(
            seed: seed, transactions: 12, compression: isEncrypted ? .standard : .none, isEncrypted: isEncrypted)
        options.longWrites = 0
        options.bases = 100
        options.segmentEnds = 60
        history = try RecordedHistory(options)
        comparison = HistoryComparison(history)
    }

    package struct Report: Sendable {
        package var objects = 0
        package var damages = 0
        /// Damages in bytes that no reader needed: the data was right.
        package var unnoticed = 0
        /// At most ten.
        package var failures: [String] = []
    }

    /// `period`: one in so many places; `bits`: how many bits of each byte.
    package func run(period: Int = 1, bits: Int = 8) throws(AsofError) -> Report {
        var report = Report()
        for name in try history.store.list(prefix: "").map(\.name) {
            guard let good = try history.store.get(name)?.bytes else { continue }
            report.objects += 1
            for index in stride(from: report.objects % period, to: good.count, by: period) {
                try judge(name, Array(good[..<index]), "cut at \(index)", &report)
                for bit in 0..<bits {
                    var flipped = good
                    flipped[index] ^= 1 << UInt8((index + bit) % 8)
                    try judge(name, flipped, "byte \(index), bit \((index + bit) % 8)", &report)
                }
            }
            try history.store.put(name, good)
        }
        return report
    }

    private func judge(_ name: String, _ bytes: [UInt8], _ what: String, _ report: inout Report) throws(AsofError) {
        try history.store.put(name, bytes)
        report.damages += 1
        var isNoticed = false
        do throws(AsofError) {
            let timeline = try history.reopened()
            let reader = ObjectReader(repository: timeline.repository)
            let head = try timeline.head()
            // Both ends of the newest segment: within it, and all of it above a base or the segments below.
            for lsn in [head.segments.last?.first ?? LSN(1), head.last] {
                for bases in [head.bases, []] {
                    var shown = head
                    shown.bases = bases
                    do throws(AsofError) {
                        let cut = try timeline.resolve(.lsn(lsn), head: shown, reader: reader)
                        let view = try View(cut, of: timeline, head: shown, reader: reader)
                        if let found = try comparison.difference(view, at: lsn) { fail(&report, "\(name), \(what): \(found)") }
                        isNoticed = isNoticed || reader.givenUp > 0
                    } catch {
                        isNoticed = true
                        // The log says all that a base says.
                        if name.contains("/bases/") { fail(&report, "\(name), \(what): \(error)") }
                        if !error.message.contains(name) { fail(&report, "\(name), \(what): the message names something else: \(error)") }
                    }
                }
            }
        } catch {
            isNoticed = true
            if !error.message.contains(name) { fail(&report, "\(name), \(what): the message names something else: \(error)") }
        }
        if !isNoticed { report.unnoticed += 1 }
    }

    private func fail(_ report: inout Report, _ what: String) { if report.failures.count < 10 { report.failures.append(what) } }
}
