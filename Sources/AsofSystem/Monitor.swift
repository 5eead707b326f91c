public import Glibc

/// A value behind a lock that threads can wait on: a mutex with a condition on CLOCK_MONOTONIC, so that a step of the wall clock
/// neither shortens nor lengthens a wait.
public final class Monitor<Value: ~Copyable>: @unchecked Sendable {
    // Invariant behind @unchecked Sendable: as in `Lock`.
    @usableFromInline let mutex: UnsafeMutablePointer<pthread_mutex_t>
    @usableFromInline let condition: UnsafeMutablePointer<pthread_cond_t>
    @usableFromInline let storage: UnsafeMutablePointer<Value>

    @inlinable
    public init(_ value: consuming sending Value) {
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
        condition = .allocate(capacity: 1)
        condition.initialize(to: pthread_cond_t())
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
        storage = .allocate(capacity: 1)
        storage.initialize(to: value)
    }

    deinit {
        storage.deinitialize(count: 1)
        storage.deallocate()
        pthread_cond_destroy(condition)
        condition.deallocate()
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Runs `body` with the value while no other thread has it. Wakes nobody: call `signal` or `broadcast` after a change.
    @inlinable
    public func withLock<R: ~Copyable, E: Error>(_ body: (inout Value) throws(E) -> R) throws(E) -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&storage.pointee)
    }

    /// Waits until `attempt` yields something and returns that; nil when `timeout` passes first (nil: never).
    ///
    /// `attempt` runs under the lock, at once and after each wake-up, and may take what it found out of the value.
    @inlinable
    public func take<R>(timeout: Duration? = nil, _ attempt: (inout Value) -> R?) -> R? {
        let deadline = timeout.map { monotonicDeadline(after: $0) }
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let found = attempt(&storage.pointee) { return found }
            if var deadline {
                if pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT { return attempt(&storage.pointee) }
            } else {
                pthread_cond_wait(condition, mutex)
            }
        }
    }

    /// Waits until `predicate` holds; false when `timeout` passes first (nil: never).
    @inlinable @discardableResult
    public func wait(timeout: Duration? = nil, until predicate: (inout Value) -> Bool) -> Bool {
        take(timeout: timeout) { predicate(&$0) ? true : nil } ?? false
    }

    /// Wakes one waiting thread.
    @inlinable
    public func signal() { pthread_cond_signal(condition) }

    /// Wakes every waiting thread.
    @inlinable
    public func broadcast() { pthread_cond_broadcast(condition) }
}

/// The moment on CLOCK_MONOTONIC that lies `timeout` from now; negative time-outs are over already, huge ones are cut to 30
/// years.
@usableFromInline
func monotonicDeadline(after timeout: Duration) -> timespec {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    let (seconds, attoseconds) = min(max(timeout, .zero), .seconds(1_000_000_000)).components
    var nanoseconds = now.tv_nsec + Int(attoseconds / 1_000_000_000)
    var total = now.tv_sec + Int(seconds)
    if nanoseconds >= 1_000_000_000 {
        nanoseconds -= 1_000_000_000
        total += 1
    }
    return timespec(tv_sec: total, tv_nsec: nanoseconds)
}
