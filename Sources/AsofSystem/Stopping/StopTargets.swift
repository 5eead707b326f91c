internal import AsofCore
internal import CLinux
internal import Glibc

/// The processes of a stopper as its C loops take them, in memory that stays put.
final class StopTargets: @unchecked Sendable {
    // Invariant behind @unchecked Sendable: written by init only.
    let handles: [ProcessHandle]
    let processes: UnsafePointer<asof_stop_process>
    var count: Int { handles.count }
    private let memory: UnsafeMutablePointer<asof_stop_process>
    private let tasks: [SharedDescriptor]

    init(_ handles: [ProcessHandle]) throws(StopFailure) {
        var tasks: [SharedDescriptor] = []
        for handle in handles {
            do throws(Errno) {
                tasks.append(SharedDescriptor(try SystemCall.open("/proc/\(handle.pid)/task", O_RDONLY | O_DIRECTORY)))
            } catch {
                throw handle.isAlive ? .system(error) : .exited(pid: handle.pid)
            }
            // Alive after opening: the number meant this process then.
            guard handle.isAlive else { throw .exited(pid: handle.pid) }
        }
        self.handles = handles
        self.tasks = tasks
        memory = .allocate(capacity: max(handles.count, 1))
        for (index, handle) in handles.enumerated() {
            (memory + index).initialize(
                to: asof_stop_process(pid: handle.pid, pidfd: handle.unmanaged, tasks: tasks[index].unmanaged))
        }
        processes = UnsafePointer(memory)
        _ = mlock(memory, MemoryLayout<asof_stop_process>.stride * max(handles.count, 1))
    }

    deinit { memory.deallocate() }

    /// How many threads there are now.
    var threadCount: Int {
        var sum = 0
        // A link of the task directory for each thread.
        for task in tasks { sum += Int((try? SystemCall.status(task.unmanaged))?.attributes.links ?? 0) }
        return sum
    }
}

/// The C loops' table of threads; of one thread at a time.
final class StopTable: @unchecked Sendable {
    // Invariant behind @unchecked Sendable: whoever runs a stop has it alone; it is handed over through a Monitor.
    private(set) var pointer: OpaquePointer

    /// With room for twice as many threads as there are.
    init(for targets: StopTargets) throws(StopFailure) { pointer = try Self.make(targets.threadCount * 2 + 128) }

    deinit { asof_stop_table_free(pointer) }

    /// A larger, empty one. Between stops only.
    func grow() throws(StopFailure) {
        let larger = try Self.make(Int(asof_stop_table_capacity(pointer)) * 2)
        asof_stop_table_free(pointer)
        pointer = larger
    }

    /// Grows ahead of need, so that the next stop need not be tried twice.
    func makeRoom(for threads: Int) {
        if threads * 3 / 2 > Int(asof_stop_table_capacity(pointer)) { try? grow() }
    }

    private static func make(_ capacity: Int) throws(StopFailure) -> OpaquePointer {
        guard let pointer = asof_stop_table_make(UInt32(clamping: capacity)) else { throw .system(Errno(errno)) }
        return pointer
    }
}

/// What the C loops return, in Swift's words.
enum StopOutcome {
    case stopped(StopReport)
    /// The table was too small.
    case full
    case failed(StopFailure)

    init(_ code: Int32, _ result: asof_stop_result) {
        switch asof_stop_code(rawValue: UInt32(bitPattern: code)) {
        case ASOF_STOP_DONE:
            self = .stopped(
                StopReport(
                    stoppedAt: Instant(nanoseconds: result.stopped_at),
                    took: .nanoseconds(Int64(clamping: result.took)), threads: Int(result.threads),
                    blocked: Int(result.blocked)))
        case ASOF_STOP_FULL: self = .full
        case ASOF_STOP_TIMEOUT: self = .failed(.timedOut)
        case ASOF_STOP_ALREADY: self = .failed(.alreadyStopped(pid: result.pid))
        case ASOF_STOP_EXITED: self = .failed(.exited(pid: result.pid))
        case ASOF_STOP_DENIED: self = .failed(.notAllowed(Errno(result.error)))
        default: self = .failed(.system(Errno(result.error)))
        }
    }
}

extension Duration {
    /// Whole nanoseconds, for C; negative is 0, and the longest is an hour.
    var stopNanoseconds: UInt64 {
        let (seconds, attoseconds) = min(max(self, .zero), .seconds(3600)).components
        return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }
}
