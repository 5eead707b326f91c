package import AsofCore
internal import CLinux
internal import Glibc

/// A thread of our own with a name that `ps -L` and stack dumps show (15 bytes of it). Blocking work belongs here, never on
/// Swift's pool. A thread that is never joined goes on and cleans up after itself.
package final class NamedThread: Sendable {
    package let name: String
    /// Nil once joined.
    private let thread: Lock<pthread_t?>

    /// Starts a thread that runs `body`. `stackSize` in bytes; nil: the system's default (8 MiB of address space).
    /// Throws EAGAIN where the system allows no more threads.
    package init(_ name: String, stackSize: Int? = nil, _ body: @escaping @Sendable () -> Void) throws(Errno) {
        self.name = name
        let start = Unmanaged.passRetained(ThreadStart(name: name, body: body))
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        if let stackSize { pthread_attr_setstacksize(&attributes, stackSize) }
        var thread = pthread_t()
        let code = pthread_create(&thread, &attributes, runNamedThread, start.toOpaque())
        guard code == 0 else {
            start.release()
            throw Errno(code)
        }
        self.thread = Lock(thread)
    }

    deinit {
        if let thread = thread.withLock({ $0 }) { pthread_detach(thread) }
    }

    /// Waits until the thread's body has returned. Joining again returns at once. Never call it on the thread itself.
    package func join() {
        let thread = thread.withLock { value -> pthread_t? in
            defer { value = nil }
            return value
        }
        if let thread { pthread_join(thread, nil) }
    }

    /// The calling thread, and those that it makes from now on, take only the processor and the disk that others leave.
    package static func yieldToOthers() { asof_yield_to_others() }
}

/// What a new thread needs, handed over by one retain that the thread releases.
private final class ThreadStart: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }
}

private nonisolated func runNamedThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let start = Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue()
    _ = asof_set_thread_name(start.name)
    start.body()
    return nil
}
