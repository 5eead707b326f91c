internal import AsofCommandLine
internal import AsofCore
internal import AsofFileSystem
internal import AsofFuse
internal import AsofOverlay
internal import AsofRepository
internal import AsofStore
internal import AsofSystem
internal import AsofView
internal import Glibc

/// A mounted view, or directory of time, in the process that serves it.
struct ServedMount {
    /// What is told of a mount that answers.
    struct Facts: Codable {
        var mountPoint: String
        var from: String
        var to: String
        var lsn: UInt64?
        var time: String?
        /// How old the newest state is.
        var age: String?
        /// Why the newest state is not shown, for people.
        var note: String?
        /// Why nothing can be changed in a mount that was to be; for people.
        var frozen: String?
    }

    let facts: Facts
    private let mount: FuseMount
    /// Of a mount that can be changed.
    let overlay: OverlayFileSystem?
    private var registration: MountRegistry.Registration

    /// Mounts for everybody on this host.
    init(_ invocation: Invocation) throws(AsofError) {
        let mountPoint = try GivenPath.real(try invocation.argument("MOUNTPOINT"))
        try StackedMount.refuse(mountPoint)
        try Self.requireEmpty(mountPoint)
        let session = try Session(invocation)
        let changes = try OverlayRequest(invocation)
        try changes?.requireApart(from: mountPoint)
        self = try StackedMount.excluding(at: mountPoint) { () throws(AsofError) in
            try ServedMount(invocation, session, at: mountPoint, changes: changes)
        }
        registration = MountRegistry(stateFolder: session.stateFolder).register(mountPoint, overlay: overlay?.place)
    }

    /// Mounts at `mountPoint`, absolute and without links, whatever is there.
    init(_ invocation: Invocation, _ session: Session, at mountPoint: String, changes: OverlayRequest?) throws(AsofError) {
        let now = SystemClock.now()
        let cache = Int(clamping: try invocation.size("cache") ?? 32 << 20)
        let log = MountLog(folder: session.stateFolder, mountPoint: mountPoint)
        let reader = ObjectReader(repository: session.repository, frameCache: cache / 4 * 3, pageCache: cache / 4) {
            Console.note(brokenBase: $0)
            log.write($0)
        }
        let presentation = ViewFileSystem.Presentation(owner: try Self.owner(invocation), report: log.write)
        let fileSystem: any AsofFileSystem
        var facts: Facts
        var opened: OverlayFileSystem?
        if let when = try invocation.when("at") {
            let request = try changes?.request(when, now: now) ?? CutRequest(when.resolve(now: now))
            let (head, note) = try Self.head(for: request, session)
            let cut = try session.timeline.resolve(request, head: head, reader: reader)
            facts = Self.facts(mountPoint, head)
            facts.note = note
            facts.lsn = cut.lsn.rawValue
            facts.time = cut.time.description
            if request == .latest { facts.age = "\(HumanFormat.duration(nanoseconds: max(0, now.nanoseconds(since: head.exactUntil)))) old" }
            let view = try View(cut, of: session.timeline, head: head, reader: reader)
            try view.open()
            opened = try changes?.open(view, session, presentation)
            if let opened { facts.frozen = try OverlayRequest.frozen(opened, mountPoint) }
            fileSystem = opened ?? ViewFileSystem(view, presentation: presentation)
        } else {
            let head = try session.timeline.head()
            facts = Self.facts(mountPoint, head)
            // Anybody may look, and each seal can make a segment.
            let seals = Pace(seconds: 1)
            fileSystem = TimeFileSystem(
                session.timeline, head: head, reader: reader, presentation: presentation, interpret: Self.meaning
            ) { request throws(AsofError) in try Self.head(for: request, session, at: seals) }
        }
        mount = try FuseMount(
            fileSystem: fileSystem, mountPoint: mountPoint,
            options: MountOptions(
                allowOther: invocation.toggle("allow-other") ?? (geteuid() == 0), fileSystemName: session.repository.store.description,
                isReadOnly: opened == nil, threads: 2, readsAhead: true))
        (fileSystem as? TimeFileSystem)?.whenCrowded { [weak mount] names in mount?.letGo(of: names) }
        try mount.start()
        overlay = opened
        registration = MountRegistry.Registration()
        self.facts = facts
    }

    /// Lets `asof status` name it, which one command alone sees, until it ends.
    mutating func register(for command: [String], _ session: Session) {
        let alone = MountRegistry.Alone(command: command.map(ShellWord.quoted).joined(separator: " "), time: facts.time, lsn: facts.lsn)
        registration = MountRegistry(stateFolder: session.stateFolder).register(facts.mountPoint, overlay: overlay?.place, alone: alone)
    }

    /// Serves until the mount goes away or a signal asks for its end: then it is gone from its place, and whoever has files open there may go on.
    func serve(_ signals: SignalWaiter) throws(AsofError) -> Int32 {
        let isEnding = Flag()
        let mount = mount
        let mountPoint = facts.mountPoint
        let watcher = try? NamedThread("asof-signals") {
            while !isEnding.isSet {
                guard (try? signals.wait(timeout: .milliseconds(200))) != nil else { continue }
                try? mount.unmount(lazy: true)
                for _ in 0..<10 where !isEnding.isSet { SystemClock.sleep(.milliseconds(50)) }
                if !isEnding.isSet { Console.note("\(mountPoint) is unmounted; what programs still have open there is served until they close it") }
                return
            }
        }
        let ended = Result { () throws(AsofError) in try mount.wait() }
        isEnding.set()
        watcher?.join()
        // What was changed is made durable before anybody is told that the mount is gone.
        let kept = Result { () throws(AsofError) in try overlay?.stop() }
        registration.remove()
        try ended.get()
        try kept.get()
        return 0
    }

    /// Ends it, whoever still uses it.
    func end() throws(AsofError) {
        mount.end()
        let ended = Result { () throws(AsofError) in try mount.wait() }
        registration.remove()
        try overlay?.stop()
        try ended.get()
    }

    private static func facts(_ mountPoint: String, _ head: Head) -> Facts {
        Facts(mountPoint: mountPoint, from: head.first?.time.description ?? "-", to: head.exactUntil.description)
    }

    /// The head for a request: for `latest`, and what lies behind the archived part of the window, a capture on this host is asked to seal first.
    static func head(for request: CutRequest, _ session: Session) throws(AsofError) -> (head: Head, note: String?) {
        guard request != .latest else { return try session.headUpToNow() }
        let head = try session.timeline.head()
        return isBehind(request, head) ? try session.headUpToNow() : (head, nil)
    }

    /// The same where seals have a pace: between two of them `latest` is what is known, and of what lies behind that nothing is: nil.
    private static func head(for request: CutRequest, _ session: Session, at seals: Pace) throws(AsofError) -> Head? {
        let head = try session.timeline.head()
        guard isBehind(request, head) else { return head }
        if seals.isDue() { return try session.headUpToNow().head }
        return request == .latest ? head : nil
    }

    private static func isBehind(_ request: CutRequest, _ head: Head) -> Bool {
        switch request {
        case .latest: true
        case .instant(let instant): instant > head.capturedUntil && instant <= SystemClock.now()
        case .lsn(let lsn): lsn > head.last
        }
    }

    /// What a name in a directory of time means.
    @Sendable private static func meaning(_ name: String) -> TimeFileSystem.Meaning? {
        // UInt64 alone takes a sign as well.
        if name.hasPrefix("lsn-"), name.utf8.dropFirst(4).allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt64(name.dropFirst(4)) { return .folder(.lsn(LSN(number))) }
        guard !name.hasPrefix("."), !name.hasPrefix("lsn:"), let when = try? When.parse(name) else { return nil }
        switch when {
        case .instant(let instant): return .folder(.instant(instant))
        case .latest: return .link(.latest)
        case .relative: return .link(CutRequest(when.resolve(now: SystemClock.now())))
        case .lsn: return nil
        }
    }

    private static func owner(_ invocation: Invocation) throws(AsofError) -> (user: UInt32, group: UInt32)? {
        switch try invocation.owner("owner") {
        // In a user namespace of our own there is nobody else.
        case nil: PrivateMounts.isForUserAlone ? (geteuid(), getegid()) : nil
        case .caller: (geteuid(), getegid())
        case .ids(let user, let group): (user, group)
        }
    }

    static func requireEmpty(_ path: String) throws(AsofError) {
        guard let reader = try? DirectoryReader(path), let entry = try? reader.next() else { return }
        throw AsofError(
            .failure, "\(path) is not empty: it holds \(Printable.quoted(entry.name.description))",
            hint: "mount on an empty folder: what is in this one would be hidden")
    }
}
