internal import AsofCore
internal import AsofSystem

/// The server beside which we follow: found, stopped for a tick, let go, found again after it was started anew. One thread's.
final class FollowedServer {
    private let directory: String
    private let root: SharedDescriptor
    private let search: ServerSearch
    /// Where it is noted what is stopped.
    private let note: String
    private let report: (String) -> Void
    private var found = ServerSearch.Found()
    private var stopper: (any ProcessStopper)?
    /// When it was searched for last.
    private var searchedAt: UInt64?
    /// Nanoseconds that the last search took.
    private var searchTook: UInt64 = 0
    /// One was followed before: from then on nothing about a server ends following.
    private var hasFollowed = false
    private var mappingsCheckedAt: UInt64?
    private var hasReportedMapping = false
    /// Nobody can be told for sure from others now: said once.
    private var isAmbiguous = false

    init(directory: String, root: SharedDescriptor, search: ServerSearch, note: String, report: @escaping (String) -> Void) {
        self.note = note
        if let freed = StopNote.release(at: note) { report("\(freed) was still stopped by an earlier follow that was killed: it was let go") }
        self.directory = directory
        self.root = root
        self.search = search
        self.report = report
    }

    var way: StopWay? { stopper?.way }
    var pid: Int32? { found.processes.first?.pid }
    var count: Int { found.processes.count }
    var hidden: Int { found.hidden }
    /// It changes files of the directory through memory, which nobody hears of.
    var isMapping: Bool { found.mapped != nil }

    /// Finds the server, where there is none, or it has ended, or has other processes now. `isUrgent`: something changed, so that there may be
    /// one. `true`: it is another one than before.
    func find(isUrgent: Bool) throws(AsofError) -> Bool {
        let isAlive = !found.processes.isEmpty && found.processes.allSatisfy(\.isAlive)
        let age = searchedAt.map { SystemClock.monotonicNanoseconds() &- $0 } ?? .max
        // Whoever begins to write makes himself heard; a look at all processes now and then is for the rest.
        // At most a twentieth of the time goes into looking for one that has just started.
        let patience = isAlive || !isUrgent ? search.lifetime : max(50_000_000, searchTook &* 20)
        guard age >= patience || (!isAlive && !found.processes.isEmpty) else { return false }
        let began = SystemClock.monotonicNanoseconds()
        let new: ServerSearch.Found
        do throws(AsofError) { new = try search.find(below: directory) } catch {
            guard hasFollowed else { throw error }
            searchedAt = began
            return try goOn(isAlive: isAlive, error)
        }
        isAmbiguous = false
        searchTook = SystemClock.monotonicNanoseconds() &- began
        searchedAt = began
        let isSame = isAlive && Set(new.processes.map(\.pid)) == Set(found.processes.map(\.pid))
        let before = found
        if isSame {
            found.mapped = new.mapped
            found.hidden = new.hidden
        } else {
            try follow(new)
        }
        if isMapping { try refuseMapping(isNew: before.processes.isEmpty && before.mapped == nil) }
        return !isSame && !(before.processes.isEmpty && new.processes.isEmpty)
    }

    /// Another program writes, too, or a file that names the server holds no number just now: who was followed still is. What others write while that
    /// one stands still is seen, and makes the state fuzzy.
    private func goOn(isAlive: Bool, _ reason: AsofError) throws(AsofError) -> Bool {
        if !isAmbiguous { report("\(reason.message): \(isAlive ? "process \(pid ?? 0) is followed on" : "nobody is stopped"), and what others write makes states fuzzy") }
        isAmbiguous = true
        guard !isAlive, !found.processes.isEmpty else { return false }
        try follow(ServerSearch.Found(hidden: found.hidden))
        return true
    }

    /// Looks which files the server has mapped for writing, unless that was looked at less than `pause` ago. False: it was not looked.
    func checkMappings(pause: Duration) throws(AsofError) -> Bool {
        guard !found.processes.isEmpty else {
            found.mapped = nil
            return false
        }
        let age = mappingsCheckedAt.map { SystemClock.monotonicNanoseconds() &- $0 } ?? .max
        guard .nanoseconds(Int64(clamping: age)) >= pause else { return false }
        mappingsCheckedAt = SystemClock.monotonicNanoseconds()
        found.mapped = nil
        for process in found.processes {
            // It ends, or may not be looked into.
            guard let mapping = try? OpenWriters.mapping(process.pid, below: directory) else { continue }
            found.mapped = mapping
            break
        }
        if isMapping { try refuseMapping(isNew: false) }
        return true
    }

    private func follow(_ new: ServerSearch.Found) throws(AsofError) {
        if let stopper { try? stopper.resume() }
        stopper = nil
        let hadOne = !found.processes.isEmpty
        found = ServerSearch.Found(hidden: new.hidden)
        guard let first = new.processes.first else {
            if hadOne { report("the server has ended; following goes on quietly until one appears") }
            return
        }
        try refuseOwnMount(new.processes)
        let choice = StopWay.best(for: new.processes)
        guard let way = search.way ?? choice.way else {
            throw AsofError(
                .failure,
                "the server, process \(first.pid), cannot be stopped here: "
                    + choice.obstacles.map { "\($0.way.rawValue): \($0.reason)" }.joined(separator: "; "),
                hint: "run asof as root, or with CAP_SYS_PTRACE; `asof check` says more; --no-stop gives fuzzy states only")
        }
        if search.way != nil, let reason = way.obstacle(for: new.processes) {
            guard hasFollowed else { throw AsofError(.failure, "the server, process \(first.pid), cannot be stopped by \(way.rawValue): \(reason)", hint: "`asof check` says more; without --stop-by the best way that is possible is taken") }
            return report("the server, process \(first.pid), cannot be stopped by \(way.rawValue): \(reason). States are fuzzy until it can")
        }
        do throws(StopFailure) { stopper = try way.stopper(for: new.processes, note: note) } catch {
            // It ended in between: the next search finds its successor.
            if case .exited = error { return }
            let failure = AsofError(.failure, "the server, process \(first.pid), cannot be stopped by \(way.rawValue): \(error)")
            guard hasFollowed else { throw failure }
            return report("\(failure.message). States are fuzzy until it can")
        }
        stopper?.prepare()
        found = new
        hasFollowed = true
        report("follows process \(first.pid)\(new.processes.count > 1 ? " and \(new.processes.count - 1) more" : ""), stopped by \(way.rawValue) for each tick")
    }

    private func refuseMapping(isNew: Bool) throws(AsofError) {
        guard let mapped = found.mapped else { return }
        let what = "\(mapped.name) (\(mapped.pid)) has files of \(directory) mapped for writing: such changes cannot be followed"
        if isNew { throw AsofError(.failure, what, hint: "`asof record` captures them") }
        if !hasReportedMapping { report("\(what). States are fuzzy from now on") }
        hasReportedMapping = true
    }

    /// Who serves the directory's own mount must not be stopped: we would wait for it for ever.
    private func refuseOwnMount(_ processes: [ProcessHandle]) throws(AsofError) {
        let fuse: UInt64 = 0x6573_5546
        guard let status = try? SystemCall.fileSystemStatus(root.unmanaged), status.type == fuse else { return }
        for process in processes where OpenWriters.servesMounts(process.pid) {
            throw AsofError(
                .failure, "process \(process.pid) serves mounts, and \(directory) is one: stopping it would stop its own readers, us among them",
                hint: "follow the directory behind the mount, or name the server alone with --pid")
        }
    }

    /// There is nobody to stop, and nobody has one of these files open for writing.
    func isAlone(changed: [Examination]) -> Bool {
        guard found.processes.isEmpty, search.rule != .nobody else { return false }
        for seen in changed where seen.attributes.isRegular {
            switch SystemCall.isOpenForWriting(seen.descriptor.unmanaged) {
            case true: return false
            // Not to be told; then only where every process can be seen.
            case nil where found.hidden > 0 || !ProcessIdentity.seesAllProcesses: return false
            default: continue
            }
        }
        return true
    }

    /// The freezer waits for threads in slow calls that the other ways need not wait for: where it misses tick after tick, ptrace is taken.
    func noteMissed(_ ticks: Int) {
        guard ticks >= 2, search.way == nil, stopper?.way == .cgroup, StopWay.ptrace.obstacle(for: found.processes) == nil,
            let other = try? StopWay.ptrace.stopper(for: found.processes)
        else { return }
        stopper = other
        other.prepare()
        report("the freezer waits for slow calls of the server: it is stopped by ptrace from now on")
    }

    /// Stops it; nil: there is nobody to stop.
    func stop(within cap: Duration) throws(StopFailure) -> StopReport? { try stopper?.stop(within: cap) }

    /// Lets it go on. False: it went on before, so that what was read may be of several moments.
    func resume() -> Bool {
        do throws(StopFailure) {
            try stopper?.resume()
            return true
        } catch {
            // Whatever it was: the way's own guard lets the server go.
            return false
        }
    }
}
