internal import AsofCommandLine
internal import AsofCore
internal import AsofOverlay
internal import AsofSystem
internal import AsofWeaviate
internal import Glibc

/// `asof mount … -- CMD`: a mount that CMD alone sees, for as long as it runs.
enum PrivateMountVerb {
    static func run(_ invocation: Invocation) throws(AsofError) -> Int32 {
        guard !invocation.flag("foreground") else {
            throw AsofError(.usage, "--foreground is for a mount without a command", hint: "with one, asof waits for its end anyway")
        }
        let signals: SignalWaiter
        do throws(Errno) { signals = try SignalWaiter(blocking: [SIGINT, SIGTERM, SIGHUP, SIGCHLD]) } catch {
            throw AsofError(error, "cannot block signals")
        }
        let changes = try OverlayRequest(invocation)
        try PrivateMounts.begin()
        let session = try Session(invocation)
        let mountPoint = try PrivateMounts.mountPoint(invocation.positional("MOUNTPOINT"), session)
        try PrivateMounts.check(mountPoint, session, repository: try invocation.required("repo"), overlay: changes?.folder)
        var served = try ServedMount(invocation, session, at: mountPoint, changes: changes)
        served.register(for: invocation.rest, session)
        MountVerb.warn(served.facts, invocation)
        let code = Result { () throws(AsofError) in try run(invocation.rest, served, signals, withoutKey: invocation.value("key-env")) }
        try served.end()
        return try code.get()
    }

    /// `key`: the variable that holds the repository's key, which is nothing for the command.
    private static func run(_ command: [String], _ served: ServedMount, _ signals: SignalWaiter, withoutKey key: String?) throws(AsofError) -> Int32 {
        var environment = EnvironmentVariables.inherited
        environment["ASOF_MOUNT"] = served.facts.mountPoint
        if let key { environment[key] = nil }
        let kept = try KeptCommand(
            command, KeptCommand.Surroundings(temporaryOverlay: served.overlay?.temporaryFolder, environment: environment.list))
        while true {
            if let code = kept.exitCode() { return code }
            if let received = try? signals.receive() { kept.relay(received) }
        }
    }
}
