internal import AsofCore
internal import CLinux
internal import Glibc

/// The thread that traces, and the desk at which it takes orders. The stopper's thread gives one order at a time.
final class Tracer: Sendable {
    private enum Order: Equatable {
        case none
        case stop(nanoseconds: UInt64)
        case release
        case end
    }

    private enum Answer {
        case stopped(Int32, asof_stop_result, left: UInt32)
        /// `early`: nobody had asked for it in time.
        case released(left: UInt32, early: Bool)
    }

    private struct Desk {
        var order = Order.none
        var answer: Answer?
        /// The kernel's number of the thread, once it runs.
        var thread: Int32?
    }

    private let desk: Monitor<Desk>
    private let thread: NamedThread

    /// `didLetGo`: called on the tracer's thread when nobody asked in time and it has let go.
    init(
        _ targets: StopTargets, _ table: StopTable, longestHold: Duration, isPrepared: Bool, didLetGo: @escaping @Sendable () -> Void
    ) throws(Errno) {
        let desk = Monitor(Desk())
        self.desk = desk
        thread = try NamedThread("asof-tracer", stackSize: 256 << 10) {
            Self.run(desk, targets, table, longestHold: longestHold, isPrepared: isPrepared, didLetGo)
        }
        desk.wait { $0.thread != nil }
    }

    /// What came of it, and how many threads are still attached: unless it stopped, only `end` lets go of those.
    func stop(_ cap: UInt64) -> (outcome: StopOutcome, left: UInt32) {
        desk.withLock {
            $0.answer = nil
            $0.order = .stop(nanoseconds: cap)
        }
        desk.broadcast()
        let (code, result, left) = desk.take { (desk: inout Desk) -> (Int32, asof_stop_result, UInt32)? in
            guard case .stopped(let code, let result, let left) = desk.answer else { return nil }
            return (code, result, left)
        } ?? (Int32(ASOF_STOP_SYSTEM.rawValue), asof_stop_result(), 0)
        return (StopOutcome(code, result), left)
    }

    /// How many threads are still attached, and whether the longest hold had passed before.
    func release() -> (left: UInt32, early: Bool) {
        desk.withLock { $0.order = .release }
        desk.broadcast()
        return desk.take { (desk: inout Desk) -> (UInt32, Bool)? in
            guard case .released(let left, let early) = desk.answer else { return nil }
            return (left, early)
        } ?? (0, true)
    }

    /// Ends the thread. Nothing is attached when this returns.
    func end() {
        desk.withLock { $0.order = .end }
        desk.broadcast()
        thread.join()
        // A joined thread is still on its way out, and detaching is among the last things done there.
        guard let id = desk.withLock({ $0.thread }) else { return }
        let deadline = ContinuousClock.now + .seconds(2)
        while asof_thread_exists(id) != 0, ContinuousClock.now < deadline { SystemClock.sleep(.microseconds(20)) }
    }

    private static func run(
        _ desk: Monitor<Desk>, _ targets: StopTargets, _ table: StopTable, longestHold: Duration, isPrepared: Bool,
        _ didLetGo: () -> Void
    ) {
        if isPrepared { _ = asof_stop_prepare_thread() }
        desk.withLock { $0.thread = asof_gettid() }
        desk.broadcast()
        while true {
            let order = desk.take { (desk: inout Desk) -> Order? in
                switch desk.order {
                case .none, .release: return nil
                case .stop, .end:
                    let order = desk.order
                    desk.order = .none
                    return order
                }
            }
            guard case .stop(let cap) = order else { return }
            var result = asof_stop_result()
            let code = asof_stop_ptrace(table.pointer, targets.processes, targets.count, cap, &result)
            let hasStopped = code == Int32(ASOF_STOP_DONE.rawValue)
            let left = hasStopped ? 0 : asof_stop_ptrace_release(table.pointer, targets.processes, targets.count)
            desk.withLock { $0.answer = .stopped(code, result, left: left) }
            desk.broadcast()
            // With something still attached, the end of this thread is what lets go of it.
            if left > 0 { return }
            guard hasStopped else { continue }
            // Counted from where the server may have begun to stand still: a follower that was itself stopped on the way has used it up.
            let isAsked = desk.wait(timeout: max(.zero, longestHold - .nanoseconds(Int64(clamping: result.took)))) { $0.order == .release || $0.order == .end }
            let still = asof_stop_ptrace_release(table.pointer, targets.processes, targets.count)
            if !isAsked { didLetGo() }
            desk.withLock { $0.answer = .released(left: still, early: !isAsked) }
            desk.broadcast()
            if still > 0 { return }
        }
    }
}
