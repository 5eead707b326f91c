internal import AsofCapture
internal import AsofCommandLine
internal import AsofCore
internal import AsofRepository
internal import AsofStore
internal import AsofSystem
internal import Glibc

enum FollowVerb {
    static func run(_ invocation: Invocation) throws(AsofError) -> Int32 {
        let signals: SignalWaiter
        do throws(Errno) { signals = try SignalWaiter(blocking: [SIGINT, SIGTERM, SIGHUP]) } catch {
            throw AsofError(error, "cannot block signals")
        }
        let directory = try GivenPath.captured(try invocation.argument("DIR"))
        try FolderLayout.requireNoRestore(in: directory)
        let asked = try Session(invocation, .writing)
        var options = Follower.Options()
        if let tick = try invocation.duration("tick") { options.tick = tick }
        options.search = try search(invocation)
        options.auditRate = try invocation.size("audit")
        options.scan.isFull = invocation.flag("full")
        options.scan.rate = try invocation.size("scan-rate")
        if let kind = invocation.value("watch-by"), kind != "auto" { options.watchBy = WatchKind(rawValue: kind) }
        if invocation.flag("dry-run") {
            let timeline = try CaptureTimeline(invocation, asked, of: directory)
            let (session, place) = (timeline.planned, asked.repository.store.description)
            let spool = try spool(invocation, session, directory)
            try DryRun.say(
                "follow \(directory) into \(place)\(timeline.plan.map { ", \($0)" } ?? ", spool \(spool.folder)")",
                with: ["directory": directory, "repository": place, "timeline": session.timeline.name, "spool": spool.folder], invocation)
            return 0
        }
        let limits = try CaptureLimits(invocation)
        let events = CaptureEvents(invocation)
        var hasFollowed = false
        while true {
            var isReplaced = false
            do throws(AsofError) {
                // Anew each time: what stands there now may have been restored.
                let session = try CaptureTimeline(invocation, asked, of: directory).prepare(isQuiet: invocation.flag("quiet"))
                let spool = try spool(invocation, session, directory)
                let follower = try Follower(
                    directory: directory, timeline: session.timeline, spool: spool, limits: limits, options: options,
                    takeOver: invocation.flag("take-over")) { Console.note($0) }
                hasFollowed = true
                defer { isReplaced = follower.isReplaced }
                return try follow(follower, directory, session, spool, signals, events, once: invocation.flag("once"))
            } catch {
                // What a full disk or a directory that was replaced ends, begins anew: with a comparison.
                guard hasFollowed, !invocation.flag("once"), isReplaced || error.code == .unavailable else { throw error }
                Console.note(isReplaced ? "\(error.message): what stands there is compared with the log" : "\(error.description); tries again")
                if !isReplaced, (try? signals.wait(timeout: .seconds(5))) != nil { return error.code.rawValue }
            }
            while (try? SystemCall.status(directory))?.attributes.isDirectory != true {
                if (try? signals.wait(timeout: .seconds(1))) != nil { return 0 }
            }
        }
    }

    private static func spool(_ invocation: Invocation, _ session: Session, _ directory: String) throws(AsofError) -> Spool {
        let spool = try CaptureSpool.choose(invocation, session, backing: directory)
        try FolderLayout.check([directory], try invocation.required("repo"), spool: spool.folder, state: session.stateFolder)
        return spool
    }

    private static func follow(
        _ follower: Follower, _ directory: String, _ session: Session, _ spool: Spool, _ signals: SignalWaiter, _ events: CaptureEvents,
        once: Bool
    ) throws(AsofError) -> Int32 {
        let isEnding = Flag()
        var hasStopped = false
        defer { if !hasStopped { _ = follower.stop() } }
        try CaptureSpool.remember(spool, session)
        try follower.begin()
        let control = try ControlServer(follower, spool: spool) { isEnding.isSet }
        try events.ready("follows \(directory)", directory: directory, session, spool)
        var taken: Head?
        while !follower.hasEnded, !follower.isFenced {
            if once {
                taken = try follower.sealNow(timeout: .seconds(86_400))
                break
            }
            if (try? signals.wait(timeout: .milliseconds(200))) != nil { break }
        }
        isEnding.set()
        control.join()
        let (isFenced, failure) = (follower.isFenced, follower.failure)
        let isArchived = follower.stop()
        hasStopped = true
        if let failure { throw failure }
        if isFenced {
            Console.note("another capture took this timeline over: ended")
            return AsofError.Code.locked.rawValue
        }
        guard isArchived else { throw CaptureLimits.leftInSpool(spool) }
        if let taken { try events.captured(taken) }
        return 0
    }

    static func search(_ invocation: Invocation) throws(AsofError) -> ServerSearch {
        var search = ServerSearch()
        var rules: [ServerSearch.Rule] = []
        if let pid = invocation.count("pid") { rules.append(.pid(Int32(clamping: pid))) }
        if let file = invocation.value("pid-file") { rules.append(.pidFile(Session.absolute(file))) }
        if let cgroup = invocation.value("cgroup") { rules.append(.cgroup(Session.absolute(cgroup))) }
        if let name = invocation.value("exe") { rules.append(.executable(name)) }
        if invocation.flag("no-stop") { rules.append(.nobody) }
        guard rules.count <= 1 else {
            throw AsofError(.usage, "only one of --pid, --pid-file, --cgroup, --exe and --no-stop can say who is stopped")
        }
        if let rule = rules.first { search.rule = rule }
        if let way = invocation.value("stop-by"), way != "auto" { search.way = StopWay(rawValue: way) }
        return search
    }
}
