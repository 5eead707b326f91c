internal import AsofCore
internal import CLinux
internal import Glibc

/// Watches a tree by one inotify watch for every directory. Needs no privileges, works on every file system, and takes about
/// 1.3 KiB of the kernel's memory and one of `fs.inotify.max_user_watches` for a directory.
///
/// It knows names only: a write through a hard link outside the registered directories, or through a descriptor whose directory
/// is gone, is not seen. A thread reads all the time, because the kernel's queue is short (16,384 events) and what does not fit
/// is lost.
///
/// Concurrency: any thread may call anything. `queue.state`'s lock is held during each operation, also while the kernel adds a
/// watch: an event must not be read before its watch is known.
package final class InotifyWatch: TreeWatch {
    private let queue: InotifyQueue
    private let reader: NamedThread
    private let planned: Int

    /// `planned`: how many directories the client is going to add, as far as it knows; for the words of a refusal only.
    package init(planned: Int = 0) throws(WatchFailure) {
        let queue = try InotifyQueue()
        self.queue = queue
        self.planned = planned
        do throws(Errno) {
            reader = try NamedThread("asof-inotify", stackSize: 256 << 10) { queue.readAlways() }
        } catch {
            throw .system(error)
        }
    }

    deinit {
        // The thread holds the queue only, so this never runs on it.
        queue.stop()
        reader.join()
    }

    package func add(_ directory: Int32, token: WatchToken) throws(WatchFailure) {
        try queue.state.withLock { (state) throws(WatchFailure) in
            let watch: Int32
            do throws(Errno) {
                watch = try SystemCall.checked(SystemCall.procPath(directory)) {
                    asof_inotify_add(queue.descriptor.raw, $0, InotifyEvent.asked)
                }
            } catch {
                guard error.rawValue == ENOSPC else { throw .system(error) }
                throw outOfWatches(have: state.watches.count)
            }
            // What was noted for the number, or the token, is not about this directory.
            state.filter.forget()
            if let old = state.watches.set(watch, token) { _ = asof_inotify_remove(queue.descriptor.raw, old) }
        }
    }

    package func remove(_ token: WatchToken) {
        queue.state.withLock { state in
            state.filter.forget()
            // EINVAL where the kernel has removed it by itself: its IN_IGNORED is in the queue then, as it is after this.
            if let watch = state.watches.remove(token) { _ = asof_inotify_remove(queue.descriptor.raw, watch) }
        }
    }

    package func drain(into dirty: inout Dirty) {
        let found = queue.state.withLock { state in
            queue.collect(&state)
            state.filter.forget()
            let found = state.pending
            state.pending = Dirty()
            return found
        }
        dirty.merge(found)
    }

    package func wait(timeout: Duration?) -> Bool {
        queue.state.wait(timeout: timeout) { !$0.pending.isEmpty || asof_queued_bytes(queue.descriptor.raw) > 0 }
    }

    package var status: WatchStatus {
        queue.state.withLock { state in
            WatchStatus(
                kind: .inotify, directories: state.watches.count,
                ownBytes: state.watches.byteCount + state.filter.byteCount + state.buffer.bytes.count,
                // What the kernel itself reckons: its mark, and twice an inode that it keeps in memory.
                kernelBytes: state.watches.count * 1300,
                eventCount: state.eventCount, overflowCount: state.overflowCount)
        }
    }

    /// Stops and starts the reading thread: only for tests, which want the kernel's queue to run over.
    package func pauseReading(_ isPaused: Bool) { queue.pause(isPaused) }

    /// The limit is the user's, so others' watches count: as many as the limit minus ours, now that nothing is left.
    private func outOfWatches(have: Int) -> WatchFailure {
        let limit = WatchFailure.inotifyLimit("max_user_watches")
        return .outOfWatches(limit: limit, needed: max(planned, have + 1) + max(0, (limit ?? have) - have))
    }
}
