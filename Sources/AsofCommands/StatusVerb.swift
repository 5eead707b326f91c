internal import AsofCapture
internal import AsofCommandLine
internal import AsofCore
internal import AsofRepository
internal import AsofStore
internal import AsofSystem

/// `asof status`: what runs on this host, and how it is; with a mount point, what is mounted there.
enum StatusVerb {
    private struct Answer: Encodable {
        struct Mount: Encodable {
            var mountPoint: String
            var process: Int32
            var time: String?
            var lsn: String?
            var overlay: String?
            /// The command that alone sees it.
            var command: String?
            /// Why it does not say what it shows.
            var trouble: String?
        }

        var repository: String
        var window: WindowVerb.Answer?
        var recorder: RecorderStatus?
        var mounts: [Mount]
        /// Why the repository cannot be read now.
        var trouble: String?
    }

    static func run(_ invocation: Invocation) throws(AsofError) {
        let registry = MountRegistry(stateFolder: Session.stateFolder(invocation))
        if let given = invocation.positional("MOUNTPOINT") { return try mount(given, registry, invocation) }
        let (place, timeline) = (try Session.location(invocation).description, try invocation.required("timeline"))
        let found = look(invocation)
        let (trouble, head) = (found.trouble, found.head)
        if let trouble, trouble.code == .usage { throw trouble }
        // A capture answers without its repository.
        let recorder: RecorderStatus?
        if let session = found.session { recorder = try session.control().status() } else {
            recorder = try running(place, timeline, stateFolder: Session.stateFolder(invocation))
        }
        let answer = Answer(
            repository: place, window: head.map { WindowVerb.answer($0, found.inherited, timeline: timeline, now: SystemClock.now()) }, recorder: recorder,
            mounts: describe(registry.entries()), trouble: trouble?.message)
        if invocation.flag("json") { try Console.json(answer) } else { show(answer, timeline, head?.holder) }
        guard let trouble else { return }
        throw recorder == nil ? trouble : AsofError(.incomplete, "the repository cannot be read now: \(trouble.message)", hint: trouble.hint)
    }

    /// What the repository says.
    private struct Found {
        var session: Session?
        var head: Head?
        var inherited = Inheritance()
        var trouble: AsofError?
    }

    /// How long a repository may take to answer.
    private static let patience = Duration.seconds(20)

    private static func look(_ invocation: Invocation) -> Found {
        let answer = Monitor<Found?>(nil)
        let thread = try? NamedThread("asof-status") {
            var found = Found()
            do throws(AsofError) {
                let session = try Session(invocation)
                found.session = session
                found.head = try session.timeline.loadHead()
                if let head = found.head { found.inherited = try Inheritance(session.timeline, head: head) }
            } catch { found.trouble = error }
            answer.withLock { $0 = found }
            answer.broadcast()
        }
        if thread != nil { answer.wait(timeout: patience) { $0 != nil } }
        return answer.withLock { $0 } ?? Found(trouble: AsofError(.unavailable, "the repository does not answer", hint: "is it on a disk or a network that hangs?"))
    }

    /// The capture that runs here for a repository that cannot be opened; nil: none that is remembered answers.
    private static func running(_ place: String, _ timeline: String, stateFolder: String) throws(AsofError) -> RecorderStatus? {
        for last in LastCapture.all(stateFolder: stateFolder, repository: place, timeline: timeline) {
            if let status = try ControlClient(spool: Spool(folder: last.spool)).status() { return status }
        }
        return nil
    }

    private static func show(_ answer: Answer, _ timeline: String, _ holder: Holder?) {
        Console.line("repository  \(answer.repository), timeline \(timeline)\(answer.trouble == nil ? "" : ": cannot be read now")")
        if let recorder = answer.recorder { show(recorder) } else {
            let held = holder.map { $0.isKnownDead ? "; \(WindowVerb.endedSilently($0.description))" : "; held by \($0.description)" }
            Console.line("capture     none on this host\(held ?? "")")
        }
        if let window = answer.window, let from = window.from, let to = window.to {
            Console.line("window      \(from.time) to \(to.time) (lsn:\(from.lsn) to lsn:\(to.lsn)), \(window.gaps.count) gaps\(window.fuzzy.count == 0 ? "" : ", \(WindowVerb.states(window.fuzzy.count)) fuzzy")")
        }
        for mount in answer.mounts {
            let alone = mount.command.map { ", seen by \($0) alone" } ?? ""
            Console.line("mount       \(mount.mountPoint): \(mount.trouble ?? mount.time ?? "directory of time or capture"), process \(mount.process)\(alone)")
        }
    }

    private static func show(_ status: RecorderStatus) {
        Console.line("capture     process \(status.process), epoch \(status.epoch)")
        Console.line("captured    \(status.lastTime.map { "lsn:\(status.lastTransaction) at \($0)" } ?? "nothing yet")")
        Console.line("archived    \(status.archivedUntil.map { "lsn:\(status.archivedTransaction), everything until \($0)" } ?? "never")")
        Console.line("spool       \(HumanFormat.bytes(status.spoolBytes)) of \(HumanFormat.bytes(status.spoolLimit)); \(status.waitingSegments) segments (\(HumanFormat.bytes(status.waitingBytes))) wait for the repository")
        Console.line("comparison  \(status.comparison): \(HumanFormat.count(status.compared)) files, \(HumanFormat.bytes(status.comparedBytes)) read, \(status.differences) differed")
        if let follow = status.follow { show(follow) }
        Console.line("trouble     \(status.trouble ?? "none")")
    }

    private static func show(_ follow: FollowFigures) {
        let more = follow.processes > 1 ? " and \(follow.processes - 1) more" : ""
        Console.line("follows     \(follow.process.map { "process \($0)\(more), stopped by \(follow.stoppedBy ?? "nobody")" } ?? "nobody: no server was found")")
        if follow.hiddenProcesses > 0 { Console.line("hidden      \(follow.hiddenProcesses) processes may not be looked into; were one of them to write here, it would not be stopped") }
        Console.line("ticks       \(follow.ticks) of \(HumanFormat.duration(nanoseconds: follow.tick)), \(follow.stops) with a stop; \(follow.fuzzyTicks) fuzzy, \(follow.missedTicks) missed")
        for file in follow.torn { Console.line("fuzzy       \(file)") }
        Console.line("stall       \(follow.stallMedian) µs half of the time, \(follow.stall99) µs 99 in 100, \(follow.stallMax) µs at most")
        Console.line("last tick   \(HumanFormat.count(follow.changedFiles)) files (\(HumanFormat.count(follow.changedInStop)) of them looked at in the stop), \(HumanFormat.bytes(follow.changedBytes))")
        func ago(_ lag: Int64?) -> String { lag.map { "until \(HumanFormat.duration(nanoseconds: $0)) ago" } ?? "nothing yet" }
        Console.line("lag         captured \(ago(follow.capturedLag)), stored \(ago(follow.storedLag))")
        Console.line("watched     \(HumanFormat.count(follow.watchedDirectories)) directories by \(follow.watchReason), \(HumanFormat.count(follow.files)) files and directories\(follow.overflows > 0 ? "; events were lost \(follow.overflows) times" : "")")
        if let audit = follow.audit {
            Console.line("audit       \(HumanFormat.count(audit.files)) files, \(HumanFormat.bytes(audit.bytes)) read again, \(audit.differences) not as the log had them; round \(audit.rounds + 1)")
        }
        Console.line("memory      \(HumanFormat.bytes(follow.memory)), \(HumanFormat.bytes(UInt64(follow.knownBytes))) of it for what is known of the files")
    }

    private static func mount(_ given: String, _ registry: MountRegistry, _ invocation: Invocation) throws(AsofError) {
        guard let described = describe([try registry.mount(at: given)]).first else { return }
        if invocation.flag("json") { return try Console.json(described) }
        Console.line("\(described.mountPoint): process \(described.process)\(described.trouble.map { ", which \($0)" } ?? "")")
        if let time = described.time, let lsn = described.lsn {
            Console.line("the directory as of \(time) (lsn:\(lsn)), \(described.overlay.map { "with changes in \($0)" } ?? "read-only")")
        }
    }

    private static func describe(_ entries: [MountRegistry.Entry]) -> [Answer.Mount] {
        // A mount that one command alone sees cannot be asked.
        var states = MountedState.ask(entries.filter { $0.alone == nil }.map(\.mountPoint))[...]
        return entries.map { entry in
            var mount = Answer.Mount(mountPoint: entry.mountPoint, process: entry.process, overlay: entry.overlay)
            if let alone = entry.alone {
                (mount.time, mount.lsn, mount.command) = (alone.time, alone.lsn.map { String($0) }, alone.command)
            } else if let state = states.popFirst() ?? nil {
                (mount.time, mount.lsn) = (state.time, state.lsn)
            } else {
                mount.trouble = "does not answer"
            }
            return mount
        }
    }
}
