internal import AsofCore
internal import CLinux
internal import Glibc

/// Watches a tree by one fanotify mark on its whole file system. Directories cost no kernel memory, events that say the same are
/// merged by the kernel, and every event names the identity of what it happened to. Needs CAP_SYS_ADMIN, Linux 5.9 and a file
/// system with stable handles.
///
/// Events of all the file system arrive; those of directories that nobody registered are dropped after one look into a table,
/// unless `Unregistered` says otherwise.
///
/// Concurrency: any thread may call anything; `state`'s lock is held while events are read.
package final class FanotifyWatch: TreeWatch {
    /// Which events outside the registered directories are reported. A closure runs under the watch's lock: it must be quick and
    /// must not call the watch.
    package struct Unregistered: Sendable {
        package enum Interest: Sendable {
            case none
            /// All, up to so many in one `Dirty`; more are an overflow, since the file system may be a busy one.
            case all(limit: Int)
            case matching(@Sendable (StableHandle) -> Bool)
        }

        /// For `Dirty.files`: a file that has a name in the tree may be written through one outside it, and the kernel tells of
        /// lost names of a file without any name. Answer for the identities that the tree is known to have.
        package var files: Interest
        /// For `Dirty.unknownDirectories`. Not needed by who lists a directory after adding it, and adds what a listing shows.
        package var directories: Interest

        package init(files: Interest = .none, directories: Interest = .none) {
            self.files = files
            self.directories = directories
        }
    }

    private struct State {
        var table = HandleTable()
        let buffer = EventBuffer(byteCount: 64 << 10)
        var eventCount = 0
        var overflowCount = 0
    }

    private let group: OwnedDescriptor
    private let device: UInt64
    private let unregistered: Unregistered
    private let state: Lock<State>

    /// What the kernel is asked to report.
    package enum Reports: Sendable, CaseIterable {
        /// Both names of a rename in one event, and the identity of what a name meant (Linux 5.17).
        case renamesAndTargets
        /// A rename as two events, and a removed directory by its own event only (Linux 5.9).
        case names
    }

    /// Watches the file system that holds the open `directory`; no directory is registered by that. `reports` nil: the best that
    /// the kernel has; a value is for tests.
    package init(
        fileSystemOf directory: Int32, unregistered: Unregistered = Unregistered(), reports: Reports? = nil
    ) throws(WatchFailure) {
        self.unregistered = unregistered
        do throws(Errno) {
            device = try SystemCall.status(directory).device
        } catch {
            throw .system(error)
        }
        do throws(Errno) {
            _ = try StableHandle(of: directory)
        } catch {
            throw .noHandles(error)
        }
        group = try Self.openGroup(on: directory, reports)
        state = Lock(State())
    }

    package func add(_ directory: Int32, token: WatchToken) throws(WatchFailure) {
        let handle: StableHandle
        do throws(Errno) {
            let status = try SystemCall.status(directory)
            guard FileKind(mode: status.attributes.mode) == .directory else { throw Errno(ENOTDIR) }
            guard status.device == device else { throw Errno(EXDEV) }
            handle = try StableHandle(of: directory)
        } catch {
            throw error.rawValue == EXDEV ? .otherFileSystem : .system(error)
        }
        state.withLock { state in handle.bytes.withUnsafeBytes { state.table.set($0, token) } }
    }

    package func remove(_ token: WatchToken) { state.withLock { $0.table.remove(token) } }

    /// Lets the kernel drop what happens directly in a directory (the spool), not in directories below it. Only spares work:
    /// false where the kernel cannot (before Linux 6.0), and then its events are dropped here.
    @discardableResult
    package func ignore(_ directory: Int32) -> Bool {
        let mask = FanotifyEvent.always | FanotifyEvent.FAN_MOVED_FROM | FanotifyEvent.FAN_MOVED_TO | FanotifyEvent.FAN_EVENT_ON_CHILD
        // FAN_MARK_ADD, FAN_MARK_ONLYDIR, FAN_MARK_IGNORED_SURV_MODIFY, FAN_MARK_IGNORE.
        let added = try? SystemCall.checked { asof_fanotify_mark(group.raw, 0x1 | 0x8 | 0x40 | 0x400, mask, directory, ".") }
        return added != nil
    }

    package func drain(into dirty: inout Dirty) {
        state.withLock { state in
            // The kernel says 24 bytes for each event, whatever its length.
            var left = Int(asof_queued_bytes(group.raw)) / 24
            while left > 0 {
                let buffer = state.buffer
                let count: Int
                do throws(Errno) {
                    count = try SystemCall.checked { read(group.raw, buffer.bytes.baseAddress, buffer.bytes.count) }
                } catch {
                    if error.rawValue != EAGAIN { lose(&state, &dirty) }
                    return
                }
                if count <= 0 { return }
                let bytes = UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count])
                let isWhole = FanotifyEvent.decode(bytes) { event in
                    left -= 1
                    note(event, bytes, &state, &dirty)
                }
                if !isWhole { lose(&state, &dirty) }
            }
        }
    }

    package func wait(timeout: Duration?) -> Bool {
        (try? SystemCall.waitReadable(group.raw, until: timeout.map { ContinuousClock.now + $0 })) ?? false
    }

    package var status: WatchStatus {
        state.withLock { state in
            WatchStatus(
                kind: .fanotify, directories: state.table.count, ownBytes: state.table.byteCount + state.buffer.bytes.count,
                kernelBytes: 0, eventCount: state.eventCount, overflowCount: state.overflowCount)
        }
    }

    // MARK: Events

    private func note(_ event: FanotifyEvent, _ bytes: UnsafeRawBufferPointer, _ state: inout State, _ dirty: inout Dirty) {
        state.eventCount += 1
        dirty.eventCount += 1
        if event.mask & FanotifyEvent.FAN_Q_OVERFLOW != 0 { return lose(&state, &dirty) }
        let isOfDirectory = event.mask & FanotifyEvent.FAN_ONDIR != 0
        var isInTree = false
        // Not an array: it would be an allocation for each event.
        if let entry = event.entry, note(entry, event.mask, bytes, &state, &dirty) { isInTree = true }
        if let entry = event.oldEntry, note(entry, event.mask, bytes, &state, &dirty) { isInTree = true }
        if let entry = event.newEntry, note(entry, event.mask, bytes, &state, &dirty) { isInTree = true }
        if event.entry == nil, event.oldEntry == nil, event.newEntry == nil {
            // The kernel leaves away what it could not name, for want of memory: then a change has no place.
            if event.object == nil || event.mask & FanotifyEvent.concernsName != 0 { return lose(&state, &dirty) }
        }
        guard let object = event.object else { return }
        if isOfDirectory {
            noteDirectory(UnsafeRawBufferPointer(rebasing: bytes[object]), event.mask, state, &dirty)
        } else if event.mask & FanotifyEvent.concernsObject != 0 {
            let handle = StableHandle(event: bytes, object)
            if isInTree {
                dirty.note(file: handle)
            } else if admits(handle, unregistered.files, among: dirty.files, &state, &dirty) {
                dirty.note(file: handle)
            }
        }
    }

    /// Whether the entry's directory is registered.
    private func note(
        _ entry: FanotifyEvent.Entry, _ mask: UInt64, _ bytes: UnsafeRawBufferPointer, _ state: inout State, _ dirty: inout Dirty
    ) -> Bool {
        let directory = UnsafeRawBufferPointer(rebasing: bytes[entry.directory])
        guard let token = state.table.token(of: directory) else {
            if case .none = unregistered.directories { return false }
            let handle = StableHandle(event: bytes, entry.directory)
            if admits(handle, unregistered.directories, among: dirty.unknownDirectories, &state, &dirty) {
                dirty.note(unknownDirectory: handle)
            }
            return false
        }
        if entry.name.isEmpty {
            noteSelf(token, mask, &dirty)
        } else if let name = Name(event: bytes, entry.name) {
            if mask & FanotifyEvent.concernsName != 0 { dirty.note(name, in: token) } else { dirty.note(touched: name, in: token) }
        } else {
            // Not a name: not what the kernel writes.
            lose(&state, &dirty)
        }
        return true
    }

    /// A directory as what an event happened to: told of with its name in its parent, which may be outside the tree.
    private func noteDirectory(_ handle: UnsafeRawBufferPointer, _ mask: UInt64, _ state: State, _ dirty: inout Dirty) {
        guard let token = state.table.token(of: handle) else { return }
        if mask & FanotifyEvent.FAN_DELETE != 0 { dirty.noteGone(token) } else { noteSelf(token, mask, &dirty) }
    }

    private func noteSelf(_ token: WatchToken, _ mask: UInt64, _ dirty: inout Dirty) {
        if mask & FanotifyEvent.FAN_DELETE_SELF != 0 { dirty.noteGone(token) }
        if mask & ~(FanotifyEvent.FAN_DELETE_SELF | FanotifyEvent.FAN_ONDIR | FanotifyEvent.FAN_CREATE) != 0 { dirty.noteSelf(token) }
    }

    private func admits(
        _ handle: StableHandle, _ interest: Unregistered.Interest, among known: Set<StableHandle>, _ state: inout State,
        _ dirty: inout Dirty
    ) -> Bool {
        switch interest {
        case .none: return false
        case .matching(let matches): return matches(handle)
        case .all(let limit):
            if known.count < limit || known.contains(handle) { return true }
            lose(&state, &dirty)
            return false
        }
    }

    private func lose(_ state: inout State, _ dirty: inout Dirty) {
        dirty.hasOverflowed = true
        state.overflowCount += 1
    }

    // MARK: Set-up

    /// A group with a mark on the file system.
    private static func openGroup(on directory: Int32, _ reports: Reports?) throws(WatchFailure) -> OwnedDescriptor {
        // FAN_CLASS_NOTIF is 0; FAN_CLOEXEC, FAN_NONBLOCK, FAN_UNLIMITED_QUEUE, FAN_UNLIMITED_MARKS.
        let common: UInt32 = 0x1 | 0x2 | 0x10 | 0x20
        // FAN_REPORT_FID, FAN_REPORT_DIR_FID, FAN_REPORT_NAME.
        let names: UInt32 = 0x200 | 0x400 | 0x800
        let targets: UInt32 = 0x1000
        switch reports {
        case .renamesAndTargets:
            return try openGroup(common | names | targets, FanotifyEvent.always | FanotifyEvent.FAN_RENAME, on: directory)
        case .names:
            let mask = FanotifyEvent.always | FanotifyEvent.FAN_MOVED_FROM | FanotifyEvent.FAN_MOVED_TO
            return try openGroup(common | names, mask, on: directory)
        case nil:
            do throws(WatchFailure) {
                return try openGroup(on: directory, .renamesAndTargets)
            } catch {
                guard case .oldKernel = error else { throw error }
                return try openGroup(on: directory, .names)
            }
        }
    }

    private static func openGroup(_ flags: UInt32, _ mask: UInt64, on directory: Int32) throws(WatchFailure) -> OwnedDescriptor {
        do throws(Errno) {
            let group = OwnedDescriptor(taking: try SystemCall.checked { asof_fanotify_init(flags) })
            // FAN_MARK_ADD, FAN_MARK_FILESYSTEM.
            _ = try SystemCall.checked { asof_fanotify_mark(group.raw, 0x1 | 0x100, mask, directory, ".") }
            return group
        } catch {
            switch error.rawValue {
            case EPERM: throw .notPermitted
            case EINVAL, ENOSYS: throw .oldKernel(error)
            case ENODEV, EXDEV, EOPNOTSUPP, EOVERFLOW: throw .noHandles(error)
            default: throw .system(error)
            }
        }
    }
}
