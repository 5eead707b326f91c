internal import AsofCapture
internal import AsofCommandLine
internal import AsofCore
internal import AsofFuse
internal import AsofRepository
internal import AsofStore
internal import AsofSystem
internal import Glibc
internal import Synchronization

enum RecordVerb {
    static func run(_ invocation: Invocation) throws(AsofError) -> Int32 {
        let signals: SignalWaiter
        do throws(Errno) { signals = try SignalWaiter(blocking: [SIGINT, SIGTERM, SIGHUP]) } catch {
            throw AsofError(error, "cannot block signals")
        }
        let backing = try GivenPath.captured(try invocation.argument("BACKING"))
        let mountPoint = try GivenPath.real(try invocation.argument("MOUNTPOINT"))
        guard !FolderLayout.isInside(mountPoint, backing), !FolderLayout.isInside(backing, mountPoint) else {
            throw AsofError(
                .usage, "BACKING and MOUNTPOINT must not lie in each other", hint: "the files stay in BACKING; the server works in MOUNTPOINT, another empty folder")
        }
        try FolderLayout.requireNoRestore(in: backing)
        try StackedMount.refuse(mountPoint)
        try ServedMount.requireEmpty(mountPoint)
        let timeline = try CaptureTimeline(invocation, try Session(invocation, .writing), of: backing)
        let isDryRun = invocation.flag("dry-run")
        let session = isDryRun ? timeline.planned : try timeline.prepare(isQuiet: invocation.flag("quiet"))
        let spool = try CaptureSpool.choose(invocation, session, backing: backing)
        try FolderLayout.check([backing, mountPoint], try invocation.required("repo"), spool: spool.folder, state: session.stateFolder)
        if isDryRun {
            let place = session.repository.store.description
            try DryRun.say(
                "record \(backing) at \(mountPoint) into \(place)\(timeline.plan.map { ", \($0)" } ?? ", spool \(spool.folder)")",
                with: ["directory": backing, "mountPoint": mountPoint, "repository": place, "timeline": session.timeline.name, "spool": spool.folder],
                invocation)
            return 0
        }
        umask(0)
        let recorder = try Recorder(
            backing: backing, timeline: session.timeline, spool: spool,
            limits: try CaptureLimits(invocation), takeOver: invocation.flag("take-over")) { Console.note($0) }
        return try serve(recorder, at: mountPoint, backing: backing, session, spool, signals, invocation)
    }

    private static func serve(
        _ recorder: Recorder, at mountPoint: String, backing: String, _ session: Session, _ spool: Spool, _ signals: SignalWaiter,
        _ invocation: Invocation
    ) throws(AsofError) -> Int32 {
        let isEnding = Flag()
        var hasStopped = false
        defer { if !hasStopped { _ = recorder.stop() } }
        try CaptureSpool.remember(spool, session)
        try recorder.begin()
        let options = MountOptions(
            allowOther: invocation.toggle("allow-other") ?? (geteuid() == 0), fileSystemName: backing, subtype: "asof-record",
            threads: invocation.count("threads") ?? 2)
        let mount = try StackedMount.excluding(at: mountPoint) { () throws(AsofError) in
            try FuseMount(fileSystem: recorder.fileSystem, mountPoint: mountPoint, options: options)
        }
        try mount.start()
        // Whatever ends this early, nobody must be left with a mount that nothing answers.
        var isServed = false
        defer {
            if !isServed {
                isEnding.set()
                try? mount.unmount(lazy: true)
                _ = try? mount.wait()
            }
        }
        let control = try ControlServer(recorder, spool: spool) { isEnding.isSet }
        let registration = MountRegistry(stateFolder: session.stateFolder).register(mountPoint)
        try CaptureEvents(invocation).ready("\(mountPoint) records \(backing)", directory: backing, mountPoint: mountPoint, session, spool)

        let watcher = try? NamedThread("asof-signals") {
            while !isEnding.isSet {
                let signal = try? signals.wait(timeout: .milliseconds(200))
                if signal != nil || recorder.isFenced {
                    if recorder.isFenced { Console.note("another capture took this timeline over: ending") }
                    try? mount.unmount(lazy: true)
                    return
                }
            }
        }
        let ended = Result { () throws(AsofError) in try mount.wait() }
        isServed = true
        isEnding.set()
        watcher?.join()
        control.join()
        if !invocation.flag("quiet"), Console.isTerminal { Console.note("sealing and archiving what is left") }
        let isFenced = recorder.isFenced
        let isArchived = recorder.stop()
        hasStopped = true
        registration.remove()
        try ended.get()
        if isFenced { return AsofError.Code.locked.rawValue }
        guard isArchived else {
            throw CaptureLimits.leftInSpool(spool)
        }
        return 0
    }
}

/// Set once.
final class Flag: Sendable {
    private let value = Atomic<Bool>(false)
    var isSet: Bool { value.load(ordering: .acquiring) }
    func set() { value.store(true, ordering: .releasing) }
}
