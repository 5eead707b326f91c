public import Glibc

/// A value behind a `pthread_mutex_t`.
///
/// Public and inlinable, unlike the rest of this target: a generic that is only `package` is not specialised across targets
/// and costs ten times as much. Not Synchronization's Mutex: ThreadSanitizer reports false races on that one.
///
/// Never call out to foreign code, block on input or output without need, or take the same lock again inside `withLock`.
public final class Lock<Value: ~Copyable>: @unchecked Sendable {
    // Invariant behind @unchecked Sendable: both pointers are set once; `storage` is touched only while `mutex` is held,
    // except by deinit, when nobody else has a reference. Heap memory, because a mutex must never move.
    @usableFromInline let mutex: UnsafeMutablePointer<pthread_mutex_t>
    @usableFromInline let storage: UnsafeMutablePointer<Value>

    @inlinable
    public init(_ value: consuming sending Value) {
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
        storage = .allocate(capacity: 1)
        storage.initialize(to: value)
    }

    deinit {
        storage.deinitialize(count: 1)
        storage.deallocate()
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Runs `body` with the value while no other thread has it.
    @inlinable
    public func withLock<R: ~Copyable, E: Error>(_ body: (inout Value) throws(E) -> R) throws(E) -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&storage.pointee)
    }

    /// Runs `body` if the lock is free now; nil where another thread has it.
    @inlinable
    public func withLockIfFree<R, E: Error>(_ body: (inout Value) throws(E) -> R) throws(E) -> R? {
        guard pthread_mutex_trylock(mutex) == 0 else { return nil }
        defer { pthread_mutex_unlock(mutex) }
        return try body(&storage.pointee)
    }
}
