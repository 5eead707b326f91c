internal import AsofCore
internal import AsofSystem
internal import Glibc
internal import Synchronization

/// The life of its files: kept ready, let go, used again.
extension Journal {
    /// Everything before `position` is sealed, and so is the outcome of `settled` intents, counted by file: what is not needed any more may
    /// be used again.
    func release(before position: Position, settled: [UInt64: Int]) {
        // No pass may come between: it would neither make these files durable nor their new names, and promise what lies behind them.
        syncing.withLock { _ in releaseUnseen(before: position, settled: settled) }
    }

    private func releaseUnseen(before position: Position, settled: [UInt64: Int]) {
        let free = order.withLock { order in
            for (sequence, count) in settled {
                let rest = (order.unsealedIntents[sequence] ?? 0) - count
                order.unsealedIntents[sequence] = rest > 0 ? rest : nil
            }
            var free: [JournalFile] = []
            while order.files.count > 1, let first = order.files.first, first.sequence >= firstOwn,
                (first.sequence + 1) * UInt64(JournalFile.length) <= position, order.unsealedIntents[first.sequence] == nil {
                free.append(order.files.removeFirst())
            }
            return free
        }
        guard !free.isEmpty else { return }
        for file in free { retire(file) }
        // No sync passes over them any more, so a power cut may tear them, and a torn file ends the log: before anything behind them is promised their
        // names must be gone for good.
        order.withLock { $0.hasNewName = true }
    }

    /// Keeps a file that is not needed any more as a spare, under a name that no start takes for a part of the log, or removes it.
    private func retire(_ file: JournalFile) {
        let number = spares.withLock { spares -> Int? in
            guard spares.files.count < Self.sparesKept else { return nil }
            spares.made += 1
            return spares.made
        }
        guard let number, let spare = try? file.retired(in: folder, number: number) else {
            try? SystemCall.unlink(file.path)
            return
        }
        spares.withLock { $0.files.append(spare) }
    }

    /// Everything before `position` is kept elsewhere, and no intent is open there.
    func releaseSettled(before position: Position) {
        let settled = order.withLock { $0.unsealedIntents.filter { ($0.key + 1) * UInt64(JournalFile.length) <= position } }
        release(before: position, settled: settled)
    }

    /// What an earlier life left is sealed and archived, and what it left open is remembered elsewhere: its files go.
    func forgetRecovered() {
        syncing.withLock { _ in
            let files = order.withLock { order in
                let files = order.files.filter { $0.sequence < firstOwn }
                order.files.removeAll { $0.sequence < firstOwn }
                return files
            }
            for file in files { try? SystemCall.unlink(file.path) }
            if !files.isEmpty { order.withLock { $0.hasNewName = true } }
        }
    }

    /// Where this life's records begin.
    var ownStart: Position { firstOwn * UInt64(JournalFile.length) }

    /// Keeps files ready; to be called again and again by a thread that has the time. Returns after `wait` at the latest. `isBehind`: nobody waits
    /// for the log's readers, so files are made without luxury.
    func prepareSpares(wait: Duration, isBehind: Bool) {
        if !isFirstSettled.exchange(true, ordering: .relaxed) { try? order.withLock { $0.file }.settle() }
        guard spares.wait(timeout: wait, until: { $0.files.count < Self.sparesKept }) else { return }
        let number = spares.withLock { spares in
            spares.made += 1
            return spares.made
        }
        // A disk that is full now says so again when the file is really needed.
        guard let made = try? JournalFile.createSpare(in: folder, number: number, isPrefaulted: !isBehind) else { return SystemClock.sleep(wait) }
        spares.withLock { $0.files.append(made) }
    }

    /// Gives the space of files that were made ahead back.
    func dropSpares() {
        let files = spares.withLock { spares in
            defer { spares.files = [] }
            return spares.files
        }
        for file in files { try? SystemCall.unlink(file.path) }
    }

    /// A file under a number, made ahead or now; 0: without one yet.
    func takeSpare(_ sequence: UInt64) throws(Errno) -> JournalFile {
        let spare = spares.withLock { $0.files.popLast() }
        spares.signal()
        if let spare { return sequence == 0 ? spare : try spare.renumbered(in: folder, sequence: sequence) }
        if sequence == 0 {
            let number = spares.withLock { spares in
                spares.made += 1
                return spares.made
            }
            return try JournalFile.createSpare(in: folder, number: number, isPrefaulted: false)
        }
        return try JournalFile.create(in: folder, sequence: sequence)
    }

    /// Removes the files: everything in them is archived, and this life ends.
    func removeFiles() {
        let files = order.withLock { $0.files + [$0.emergency].compactMap { $0 } } + spares.withLock { $0.files }
        for file in files { try? SystemCall.unlink(file.path) }
    }
}
