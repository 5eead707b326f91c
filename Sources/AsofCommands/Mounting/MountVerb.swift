internal import AsofCommandLine
internal import AsofCore
internal import AsofRepository
internal import AsofSystem
internal import Glibc

/// `asof mount`: serves in the foreground, or starts a server in the background and returns when it answers.
enum MountVerb {
    static func run(_ invocation: Invocation, _ arguments: [String]) throws(AsofError) -> Int32 {
        if invocation.flag("dry-run") {
            let session = try Session(invocation)
            let head = try session.timeline.head()
            let mountPoint = Session.absolute(invocation.positional("MOUNTPOINT") ?? "\(session.stateFolder)/past")
            guard let when = try invocation.when("at") else {
                try DryRun.say("mount a directory of time at \(mountPoint)", with: ["mountPoint": mountPoint], invocation)
                return 0
            }
            let reader = ObjectReader(repository: session.repository, onBrokenBase: Console.note(brokenBase:))
            let cut = if let changes = try OverlayRequest(invocation) { try changes.planned(invocation, session) } else {
                try session.timeline.resolve(CutRequest(when.resolve(now: SystemClock.now())), head: head, reader: reader)
            }
            try DryRun.say(
                "mount lsn:\(cut.lsn) of \(cut.time) at \(mountPoint)",
                with: ["mountPoint": mountPoint, "lsn": cut.lsn.description, "time": cut.time.description], invocation)
            return 0
        }
        if !invocation.rest.isEmpty { return try PrivateMountVerb.run(invocation) }
        if invocation.flag("foreground") {
            let signals: SignalWaiter
            do throws(Errno) { signals = try SignalWaiter(blocking: [SIGINT, SIGTERM, SIGHUP]) } catch {
                throw AsofError(error, "cannot block signals")
            }
            let served = try ServedMount(invocation)
            announce(served.facts, invocation)
            return try served.serve(signals)
        }
        return try startServer(invocation, arguments)
    }

    private static func startServer(_ invocation: Invocation, _ arguments: [String]) throws(AsofError) -> Int32 {
        let report: ReadyPipe.Report
        let key = try KeySource.handOver(invocation)
        let inherited = key.map { ChildProcess.Inheritance(source: $0.unmanaged, target: KeySource.descriptor) }
        do throws(Errno) {
            var pipe = try ReadyPipe()
            let child = ["asof", "internal-serve"] + (inherited == nil ? [] : ["--key-handed-over"]) + ["--"] + arguments
            _ = try ChildProcess.spawn(
                "/proc/self/exe", arguments: child, environment: nil, input: .null, output: .null, error: .null,
                descriptors: [pipe.inheritance] + (inherited.map { [$0] } ?? []), directory: nil, newSession: true)
            report = try pipe.wait(timeout: .seconds(120))
        } catch {
            throw AsofError(error, "cannot start the server of the mount")
        }
        switch report {
        case .ready: return 0
        case .failed(let text):
            let bytes = Array(text.utf8)
            if let facts = try? JSONText.decode(ServedMount.Facts.self, bytes, name: "") {
                announce(facts, invocation)
                return 0
            }
            throw (try? JSONText.decode(Console.Failure.self, bytes, name: ""))?.failure ?? AsofError(.failure, text)
        case .silent: throw AsofError(.failure, "the server of the mount ended without a word", hint: "`asof mount --foreground` shows what it says")
        case .timedOut: throw AsofError(.unavailable, "the mount is not ready after two minutes", hint: "does the repository answer? `asof window` asks it")
        }
    }

    /// What whoever reads the mount should know.
    static func warn(_ facts: ServedMount.Facts, _ invocation: Invocation) {
        guard !invocation.flag("quiet") else { return }
        if let note = facts.note { Console.note(note) }
        if let frozen = facts.frozen { Console.note(frozen) }
        if let name = Name("user.asof.exact"), let directory = try? SystemCall.open(facts.mountPoint, SystemCall.O_PATH),
            let value = try? SystemCall.extendedAttribute(directory.raw, name), value.elementsEqual("false".utf8)
        {
            Console.note("this state is fuzzy: something moved while it was taken, and files may be torn; `asof log` shows the ticks beside it")
        }
    }

    private static func announce(_ facts: ServedMount.Facts, _ invocation: Invocation) {
        if invocation.flag("json") { return (try? Console.json(facts)) ?? () }
        guard !invocation.flag("quiet") else { return }
        warn(facts, invocation)
        guard let lsn = facts.lsn, let time = facts.time else {
            return Console.line("\(facts.mountPoint): a directory of time, from \(facts.from) to \(facts.to)")
        }
        Console.line("\(facts.mountPoint): the directory as of \(time) (lsn:\(lsn))\(facts.age.map { ", \($0)" } ?? "")")
    }
}

/// The hidden verb behind `asof mount`: the same arguments, in a process of its own.
enum ServeVerb {
    static func run(_ invocation: Invocation) -> Int32 {
        do throws(AsofError) {
            let signals: SignalWaiter
            do throws(Errno) { signals = try SignalWaiter(blocking: [SIGINT, SIGTERM, SIGHUP]) } catch {
                throw AsofError(error, "cannot block signals")
            }
            var environment: [String: String] = [:]
            for name in CommandTree.environmentNames { if let value = getenv(name) { environment[name] = String(cString: value) } }
            let parsed: Invocation
            do throws(UsageError) { parsed = try Parser.parse(CommandTree.root, invocation.rest, environment: environment) } catch { throw error.failure }
            if invocation.flag("key-handed-over") { try KeySource.takeOver(parsed) }
            let served = try ServedMount(parsed)
            // What the starter prints travels as the report: one line of JSON.
            ReadyPipe.report(failure: String(decoding: try JSONText.encode(served.facts), as: UTF8.self))
            return try served.serve(signals)
        } catch {
            ReadyPipe.report(failure: String(decoding: (try? JSONText.encode(Console.Failure(error))) ?? [], as: UTF8.self))
            return error.code.rawValue
        }
    }
}
