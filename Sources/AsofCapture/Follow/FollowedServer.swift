internal import AsofCore
internal import AsofSystem

/// The server beside which we follow: found, stopped for a tick, let go, found again after it was started anew. One thread's.
final class FollowedServer {
    private let directory: String
    private let search: ServerSearch
    private let report: (String) -> Void
    private var processes: [ProcessHandle] = []
    private var stopper: (any ProcessStopper)?
    private var lookedAt: UInt64 = 0
    /// Said once, not at each tick.
    private var complaint: String?

    init(directory: String, search: ServerSearch, report: @escaping (String) -> Void) {
        self.directory = directory
        self.search = search
        self.report = report
    }

    var isNobodyMeant: Bool { search.rule == .nobody }
    var way: StopWay? { stopper?.way }
    var pid: Int32? { processes.first?.pid }

    /// Finds the server, where there is none or it has ended. `true`: it is another one than before.
    func find(now: Bool) throws(AsofError) -> Bool {
        if !processes.isEmpty, processes.allSatisfy(\.isAlive) { return false }
        if let stopper { try? stopper.resume() }
        stopper = nil
        let hadOne = !processes.isEmpty
        processes = []
        if hadOne { report("the server has ended; following goes on quietly until one appears") }
        let clock = SystemClock.monotonicNanoseconds()
        guard now || clock &- lookedAt >= 1_000_000_000 else { return hadOne }
        lookedAt = clock
        let found = try search.processes(below: directory)
        guard !found.isEmpty else { return hadOne }
        let choice = StopWay.best(for: found)
        guard let way = search.way ?? choice.way else {
            throw AsofError(
                .failure,
                "the server, process \(found[0].pid), cannot be stopped here: "
                    + choice.obstacles.map { "\($0.way.rawValue): \($0.reason)" }.joined(separator: "; "),
                hint: "run asof as root, or with CAP_SYS_PTRACE; --no-stop gives fuzzy states only")
        }
        do throws(StopFailure) { stopper = try way.stopper(for: found) } catch {
            throw AsofError(.failure, "the server, process \(found[0].pid), cannot be stopped: \(error)")
        }
        stopper?.prepare()
        processes = found
        report("follows process \(found[0].pid)\(found.count > 1 ? " and \(found.count - 1) more" : ""), stopped by \(way.rawValue) for each tick")
        return true
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
