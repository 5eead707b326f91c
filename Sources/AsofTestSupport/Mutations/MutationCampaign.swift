internal import AsofSystem

/// Feeds one decoder with many mutations. Every one has a seed of its own, so that one can be repeated alone.
package struct MutationCampaign {
    package let format: MutationFormat
    package let seed: UInt64

    package struct Report: Sendable {
        package var count = 0
        package var accepted = 0
        package var rejected = 0
        /// Wall time of all decoding together, and of the slowest.
        package var seconds = 0.0
        package var slowest = 0.0
        /// The process's peak of resident memory afterwards, MiB.
        package var peak = 0
        /// What was decoded wrongly, or too slowly: the number of the mutation and why. At most ten.
        package var failures: [String] = []
    }

    package static let slowestAllowed = 1.0
    package static let peakAllowed = 256

    package init(_ format: MutationFormat, seed: UInt64) {
        self.format = format
        self.seed = seed
    }

    /// Runs mutations `start` ..< `start + count`.
    package func run(start: Int = 0, count: Int) throws -> Report {
        let subject = try format.subject(seed: seed)
        var report = Report()
        for number in start..<start + count {
            var mutator = Mutator(seed: seed &+ UInt64(number) &* 0x9E37_79B9_7F4A_7C15)
            let index = mutator.random.below(subject.corpus.count)
            let spare = mutator.random.pick(subject.corpus) ?? []
            let bytes = mutator.mutated(subject.corpus[index], spare: spare)
            let before = SystemClock.monotonicNanoseconds()
            let verdict = subject.judge(bytes, from: index, &mutator.random)
            let seconds = Double(SystemClock.monotonicNanoseconds() &- before) / 1e9
            report.count += 1
            report.seconds += seconds
            report.slowest = max(report.slowest, seconds)
            switch verdict {
            case .accepted: report.accepted += 1
            case .rejected: report.rejected += 1
            case .wrong(let what): fail(&report, number, what)
            }
            if seconds > Self.slowestAllowed { fail(&report, number, "took \(seconds) s") }
        }
        report.peak = Self.peakMemory()
        return report
    }

    private func fail(_ report: inout Report, _ number: Int, _ what: String) {
        guard report.failures.count < 10 else { return }
        report.failures.append("\(format.rawValue), seed \(seed), mutation \(number): \(what)")
    }

    /// VmHWM, in MiB; zero where it cannot be read.
    package static func peakMemory() -> Int {
        guard let bytes = try? SystemCall.readAll(path: "/proc/self/status") else { return 0 }
        for line in bytes.split(separator: 0x0A) where line.starts(with: "VmHWM:".utf8) {
            let digits = line.filter { (0x30...0x39).contains($0) }
            return (Int(String(decoding: digits, as: UTF8.self)) ?? 0) / 1024
        }
        return 0
    }
}
