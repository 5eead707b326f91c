internal import AsofCore
internal import CLinux
internal import Glibc

/// An inotify queue and what has been read out of it: shared by the client's threads and the one that always reads.
///
/// Whoever reads does so under the lock and notes what it read before letting go, so it does not matter who comes first.
final class InotifyQueue: Sendable {
    struct State {
        var watches = InotifyWatches()
        /// Read and not drained yet.
        var pending = Dirty()
        var filter = RepeatFilter()
        let buffer = EventBuffer(byteCount: 64 << 10)
        var eventCount = 0
        var overflowCount = 0
        var isPaused = false
        var isStopped = false
    }

    let descriptor: OwnedDescriptor
    let state: Monitor<State>
    private let stopper: OwnedDescriptor
    /// How long the thread lets events gather: the kernel drops what does not fit, so not with a short queue.
    private let gathering: Duration

    init() throws(WatchFailure) {
        do throws(Errno) {
            descriptor = OwnedDescriptor(taking: try SystemCall.checked { asof_inotify_init() })
            stopper = OwnedDescriptor(taking: try SystemCall.checked { asof_eventfd() })
        } catch {
            switch error.rawValue {
            case EMFILE: throw .outOfInstances(limit: WatchFailure.inotifyLimit("max_user_instances"))
            default: throw .system(error)
            }
        }
        state = Monitor(State())
        gathering = (WatchFailure.inotifyLimit("max_queued_events") ?? 0) >= 16_384 ? .milliseconds(2) : .zero
    }

    func pause(_ isPaused: Bool) {
        state.withLock { $0.isPaused = isPaused }
        state.broadcast()
    }

    func stop() {
        state.withLock { $0.isStopped = true }
        state.broadcast()
        var one: UInt64 = 1
        _ = write(stopper.raw, &one, 8)
    }

    /// The thread's body: reads whatever comes until told to stop.
    func readAlways() {
        while true {
            let isStopped = state.take { $0.isStopped ? true : $0.isPaused ? nil : false } ?? true
            if isStopped { return }
            var waiting = [
                pollfd(fd: descriptor.raw, events: Int16(POLLIN), revents: 0),
                pollfd(fd: stopper.raw, events: Int16(POLLIN), revents: 0),
            ]
            if poll(&waiting, 2, -1) <= 0 { continue }
            if waiting[1].revents != 0 { return }
            let hasNews = state.withLock { state in
                if !state.isPaused { collect(&state) }
                return !state.pending.isEmpty
            }
            if hasNews { state.broadcast() }
            if gathering > .zero {
                let until = ContinuousClock.now + gathering
                if (try? SystemCall.waitReadable(stopper.raw, until: until)) == true { return }
            }
        }
    }

    /// Moves what is in the kernel's queue now into `state.pending`; what comes meanwhile may stay.
    func collect(_ state: inout State) {
        var left = Int(asof_queued_bytes(descriptor.raw))
        if left < 0 { return lose(&state) }
        while left > 0 {
            let buffer = state.buffer
            let count: Int
            do throws(Errno) {
                count = try SystemCall.checked { read(descriptor.raw, buffer.bytes.baseAddress, buffer.bytes.count) }
            } catch {
                if error.rawValue != EAGAIN { lose(&state) }
                return
            }
            if count <= 0 { return }
            left -= count
            let bytes = UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count])
            if !InotifyEvent.decode(bytes, { note($0, bytes, &state) }) { lose(&state) }
        }
    }

    private func note(_ event: InotifyEvent, _ bytes: UnsafeRawBufferPointer, _ state: inout State) {
        state.eventCount += 1
        state.pending.eventCount += 1
        if event.mask & InotifyEvent.IN_Q_OVERFLOW != 0 { return lose(&state) }
        if event.mask & InotifyEvent.IN_IGNORED != 0 {
            // The number may stand for another directory from here on.
            state.filter.forget()
            if let token = state.watches.ignored(event.watch) { state.pending.noteGone(token) }
            return
        }
        guard let token = state.watches.token(of: event.watch) else { return }
        if state.filter.isRepeated(UnsafeRawBufferPointer(rebasing: bytes[event.whole])) { return }
        if event.mask & (InotifyEvent.IN_DELETE_SELF | InotifyEvent.IN_UNMOUNT) != 0 {
            state.pending.noteGone(token)
        } else if event.name.isEmpty {
            state.pending.noteSelf(token)
        } else if let name = Name(event: bytes, event.name) {
            if event.mask & InotifyEvent.concernsName != 0 {
                state.pending.note(name, in: token)
                if event.mask & InotifyEvent.IN_DELETE != 0 { state.pending.note(unlinked: name, in: token) }
            } else {
                state.pending.note(touched: name, in: token)
            }
        } else {
            // Not a name: not what the kernel writes.
            lose(&state)
        }
    }

    private func lose(_ state: inout State) {
        state.pending.hasOverflowed = true
        state.overflowCount += 1
        state.watches.expectNothing()
    }
}
