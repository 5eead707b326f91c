internal import AsofCore
internal import AsofSystem
internal import Glibc
internal import Synchronization

/// What survives a power cut.
extension Journal {
    /// Makes everything that was committed before the call durable. Concurrent callers share one pass.
    func synchronize() throws(AsofError) {
        let target = end
        try syncing.withLock { synced throws(AsofError) in
            guard synced < target.position else { return }
            let (files, now, end, hasNewName) = order.withLock { order in
                defer { order.hasNewName = false }
                // From here on whoever destroys bytes that this pass promises makes their copy durable: see PayloadReferences.rescue.
                let end = endPosition(order)
                let now = min(end, order.unfilled.min() ?? .max)
                synchronizing.store(now, ordering: .releasing)
                return (order.files, now, end, order.hasNewName)
            }
            CrashPoint.reach("journal.sync.before")
            let length = UInt64(JournalFile.length)
            // To the end: what is committed behind a record that another thread still fills is promised to its own caller.
            let changed = files.filter { ($0.sequence + 1) * length > synced && $0.sequence * length <= end }
            let referenced = references.takeUnsynced()
            // All of them on their way to the disk at once, then waited for one by one.
            let descriptors = changed.map(\.descriptor) + referenced.map(\.descriptor)
            if descriptors.count > 1 { for descriptor in descriptors { descriptor.withRaw { SystemCall.startWriting($0) } } }
            do throws(Errno) {
                for descriptor in descriptors { try descriptor.withRaw { raw throws(Errno) in try SystemCall.syncData(raw) } }
                if hasNewName { try Durable.syncDirectory(folder) }
            } catch {
                references.putBack(referenced)
                let failure = AsofError(error, "cannot make the journal in \(folder), or a file that it refers to, durable")
                // The kernel says once that it lost pages, and the next pass would find nothing wrong.
                order.withLock { $0.failure = $0.failure ?? failure }
                throw failure
            }
            CrashPoint.reach("journal.sync.after")
            newestSynchronized.store(changed.last?.sequence ?? 0, ordering: .relaxed)
            synced = now
            order.withLock { $0.promise = now }
            synchronized.store(now, ordering: .releasing)
        }
    }
}
