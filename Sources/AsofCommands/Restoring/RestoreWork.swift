internal import AsofCore
internal import AsofSystem
internal import AsofView

/// What takes long, on a thread of its own, while this one hears signals and says how far it is.
enum RestoreWork {
    /// Runs `body`, which `progress` asks to stop at a signal. `signals`: blocked in all threads.
    static func perform(
        _ signals: SignalWaiter, _ progress: RestoreProgress, _ shown: RestoreDisplay, _ body: @escaping @Sendable () throws(AsofError) -> Void
    ) throws(AsofError) {
        let outcome = Monitor<Result<Void, AsofError>?>(nil)
        let worker: NamedThread
        do throws(Errno) {
            worker = try NamedThread("asof-restore") {
                let result = Result { () throws(AsofError) in try body() }
                outcome.withLock { $0 = result }
                outcome.broadcast()
            }
        } catch {
            throw AsofError(error, "cannot start a thread")
        }
        while !outcome.wait(timeout: .milliseconds(50), until: { $0 != nil }) {
            if (try? signals.wait(timeout: .zero)) != nil { progress.stop() }
            shown.update(progress)
        }
        worker.join()
        shown.end()
        try outcome.withLock { $0 }?.get()
    }
}
