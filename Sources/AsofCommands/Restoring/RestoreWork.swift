internal import AsofCore
internal import AsofSystem
internal import AsofView
internal import Glibc

/// What takes long, on a thread of its own, while this one hears signals and says how far it is.
enum RestoreWork {
    /// Runs `body`, which `progress` asks to stop at a signal. `signals`: blocked in all threads. While a store or a disk does not answer nothing
    /// hears that: a second signal ends the process, which is what `kill -9` does, and loses nothing that was noted. An exchange in place is finished.
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
        var stopped: UInt64?
        var isTold = false
        while !outcome.wait(timeout: .milliseconds(50), until: { $0 != nil }) {
            if (try? signals.wait(timeout: .zero)) != nil {
                if stopped != nil, !progress.isExchanging { _exit(AsofError.Code.interrupted.rawValue) }
                progress.stop()
                stopped = SystemClock.monotonicNanoseconds()
            }
            if let stopped, !isTold, SystemClock.monotonicNanoseconds() - stopped > 3_000_000_000 {
                isTold = true
                shown.end()
                Console.note("ends when the repository or the disk has answered; a second signal (Ctrl-C) ends it at once, and the same command goes on with what is durable")
            }
            shown.update(progress)
        }
        worker.join()
        shown.end()
        // Even closing files can wait for a store.
        if stopped != nil { signals.release() }
        try outcome.withLock { $0 }?.get()
    }
}
