internal import AsofCore
internal import AsofSystem

/// Waits until what an earlier life left in the spool is sealed and archived: a start needs all of the log.
struct BringingIn {
    let sealer: Sealer
    let archiver: Archiver
    let spool: Spool
    var patience: Duration = .seconds(600)
    /// Signals are blocked while a capture starts, and whoever sends one must not wait for a disk or a store.
    var isInterrupted: () -> Bool = SignalWaiter.isEndPending

    /// Throws when that is not done in time, cannot be done, or nobody wants it any more; the threads of the two have ended then, and the spool
    /// has what it had.
    func run() throws(AsofError) {
        do throws(AsofError) {
            // The archiver's trouble may be over before all is sealed: only then does it count.
            try wait { sealer.seal(timeout: $0) } whileNot: { archiver.isFenced ? archiver.trouble : nil }
            try wait { archiver.waitUntilPublished(timeout: $0) } whileNot: { archiver.trouble }
        } catch {
            // Who comes next on this spool must be alone on it.
            let patience: Duration = error.code == .interrupted ? .seconds(1) : .seconds(60)
            _ = sealer.stop(patience: patience)
            _ = archiver.stop(patience: patience)
            throw error
        }
    }

    private func wait(_ step: (Duration) -> Bool, whileNot failure: () -> AsofError?) throws(AsofError) {
        let end = ContinuousClock.now + patience
        while !step(.milliseconds(500)) {
            if isInterrupted() {
                throw AsofError(
                    .interrupted, "interrupted before what the spool \(spool.folder) holds was archived\(reason.map { ": \($0)" } ?? "")",
                    hint: "it stays there, and the next start archives it")
            }
            if let failure = failure() { throw failure }
            guard ContinuousClock.now < end else {
                throw AsofError(
                    .unavailable, "what the spool \(spool.folder) holds could not be archived: \(reason ?? "it took longer than \(patience)")",
                    hint: "it stays there, and the next start archives it")
            }
        }
    }

    private var reason: String? {
        if let trouble = archiver.trouble { return trouble.message }
        return sealer.trouble
    }
}
