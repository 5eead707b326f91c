internal import AsofCommandLine
internal import AsofCore
internal import AsofOverlay
internal import AsofRepository
internal import AsofSystem
internal import AsofWeaviate
internal import Glibc

/// `asof start`: a server on the past.
enum StartVerb {
    static func run(_ invocation: Invocation) throws(AsofError) -> Int32 {
        _ = try invocation.required("at")
        guard !invocation.rest.isEmpty else {
            throw AsofError(.usage, "start needs the server's command line", hint: "asof start --at -10m -- weaviate --port 8080 --scheme http")
        }
        if let path = invocation.value("ready-path"), !path.isEmpty, !path.hasPrefix("/") || path.utf8.contains(where: { $0 <= 0x20 }) {
            throw AsofError(.usage, "--ready-path is a path such as /v1/.well-known/ready, or empty")
        }
        let signals: SignalWaiter
        do throws(Errno) { signals = try SignalWaiter(blocking: [SIGINT, SIGTERM, SIGHUP, SIGCHLD]) } catch {
            throw AsofError(error, "cannot block signals")
        }
        let environment = EnvironmentVariables.inherited
        if invocation.flag("dry-run") { return try sayWhat(invocation) }
        let changes = try OverlayRequest(forServer: invocation)
        try PrivateMounts.begin()
        let session = try Session(invocation)
        let mountPoint = try PrivateMounts.mountPoint(invocation.value("mount-at"), session)
        try PrivateMounts.check(mountPoint, session, repository: try invocation.required("repo"), overlay: changes.folder)
        let ports = try ServerPorts(invocation, environment)
        let start = ContinuousClock.now
        var served = try ServedMount(invocation, session, at: mountPoint, changes: changes)
        served.register(for: invocation.rest, session)
        MountVerb.warn(served.facts, invocation)
        let code = Result { () throws(AsofError) in try run(invocation, environment, served, ports, start, signals) }
        ports.close()
        try served.end()
        return try code.get()
    }

    private static func run(
        _ invocation: Invocation, _ inherited: EnvironmentVariables, _ served: ServedMount, _ ports: ServerPorts,
        _ start: ContinuousClock.Instant, _ signals: SignalWaiter
    ) throws(AsofError) -> Int32 {
        let sharesNetwork = invocation.flag("unsafe-shared-network")
        let mountPoint = served.facts.mountPoint
        let name = try nodeName(invocation, mountPoint)
        let nodePorts = sharesNetwork ? try freeNodePorts() : nil
        var inherited = inherited
        let keyVariable = invocation.value("key-env")
        if let keyVariable { inherited[keyVariable] = nil }
        var environment = ServerEnvironment(
            inherited, dataPath: mountPoint, nodeName: name, ports: nodePorts, keeping: Set(invocation.values("unsafe-keep-env")))
        if !environment.removed.isEmpty, !invocation.flag("quiet") {
            Console.note("taken from the server's environment: \(environment.removed.joined(separator: ", ")) (--unsafe-keep-env NAME keeps one)")
        }
        environment.set("ASOF_MOUNT", mountPoint)
        if sharesNetwork { environment.set("GRPC_PORT", String(ports.serverGRPC)) }
        let kept = try KeptCommand(
            invocation.rest,
            KeptCommand.Surroundings(
                hostName: String(name.prefix(64)), hasOwnNetwork: !sharesNetwork, temporaryOverlay: served.overlay?.temporaryFolder,
                environment: environment.variables.list, output: .descriptor(STDERR_FILENO)))
        // Without its network the command has ended already, and says so.
        let network = sharesNetwork ? nil : try? Namespaces.network(of: kept.keeper.pid)
        guard sharesNetwork || network != nil else { return RunningServer.codeBeforeReady(try end(of: kept)) }
        try ports.open(to: network)
        let readiness: ServerReadiness
        let readyTimeout = try invocation.duration("ready-timeout") ?? 0
        do throws(Errno) {
            let path = invocation.value("ready-path") ?? ""
            readiness = try ServerReadiness(
                port: ports.server, path: path.isEmpty ? nil : path, timeout: .nanoseconds(readyTimeout), network: network, since: start)
        } catch { throw AsofError(error, "cannot start a thread") }
        defer { readiness.stop() }
        let facts = RunningServer.Facts(
            url: ports.url, grpc: ports.grpcAddress, lsn: served.facts.lsn ?? 0, time: served.facts.time ?? "", seconds: 0, pid: getpid(),
            overlay: invocation.value("overlay").map(Session.absolute))
        let server = RunningServer(
            kept: kept, readiness: readiness, facts: facts, readyTimeout: invocation.value("ready-timeout") ?? "",
            stopTimeout: .nanoseconds(try invocation.duration("stop-timeout") ?? 0))
        return try server.supervise(signals, invocation)
    }

    private static func end(of kept: KeptCommand) throws(AsofError) -> Int32 {
        do throws(Errno) { _ = try kept.keeper.wait() } catch { throw AsofError(error, "cannot wait for the server") }
        return kept.exitCode() ?? 1
    }

    private static func nodeName(_ invocation: Invocation, _ directory: String) throws(AsofError) -> String {
        if let given = invocation.value("host-name") { return given }
        if let recorded = RecordedNodeName.find(in: directory) { return recorded }
        if access("\(directory)/raft/raft.db", F_OK) == 0 {
            throw AsofError(
                .failure, "the data directory does not tell which node it belonged to, or was one of several",
                hint: "--host-name NAME: the CLUSTER_HOSTNAME that the server had, else its host's name")
        }
        return RecordedNodeName.ofThisHost
    }

    private static func freeNodePorts() throws(AsofError) -> ServerEnvironment.NodePorts? {
        do throws(Errno) {
            var ports: [UInt16] = []
            while ports.count < 6 {
                let port = try LoopbackSocket.freePort()
                if !ports.contains(port) { ports.append(port) }
            }
            return ServerEnvironment.NodePorts(ports)
        } catch { throw AsofError(error, "cannot find free ports") }
    }

    private static func sayWhat(_ invocation: Invocation) throws(AsofError) -> Int32 {
        let session = try Session(invocation)
        let command = invocation.rest.joined(separator: " ")
        let mountPoint = invocation.value("mount-at") ?? "\(session.stateFolder)/past"
        let cut = try OverlayRequest(forServer: invocation).planned(invocation, session)
        try DryRun.say(
            "start \(command) on the directory as of \(cut.time) (lsn:\(cut.lsn)) at \(mountPoint)",
            with: ["command": command, "lsn": cut.lsn.description, "time": cut.time.description, "mountPoint": mountPoint], invocation)
        return 0
    }
}
