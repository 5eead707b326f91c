internal import AsofCommandLine
internal import AsofCore
internal import AsofSystem
internal import AsofWeaviate
internal import Glibc

/// Where a server listens, and where this host reaches it.
struct ServerPorts {
    /// The server's own.
    let server: UInt16
    let serverGRPC: UInt16
    /// This host's, handed on to the server's; nil: the server's own is reached as it is.
    private let http: PortForwarder?
    private let grpc: PortForwarder?
    private let sharesNetwork: Bool

    /// Takes this host's ports, so that one that is in use is found before anything is started.
    init(_ invocation: Invocation, _ environment: EnvironmentVariables) throws(AsofError) {
        sharesNetwork = invocation.flag("unsafe-shared-network")
        server = Self.port(invocation, "server-port") ?? Self.portInCommand(invocation.rest) ?? 8080
        if sharesNetwork {
            // Whoever answers there already would be taken for the server.
            try Self.requireFree(server)
            // A production server beside it has the usual one.
            if let port = Self.port(invocation, "grpc-port") {
                try Self.requireFree(port)
                serverGRPC = port
            } else {
                do throws(Errno) { serverGRPC = try LoopbackSocket.freePort() } catch { throw AsofError(error, "cannot find a free port") }
            }
        } else {
            serverGRPC = environment["GRPC_PORT"].flatMap { UInt16($0) } ?? 50_051
        }
        http = try Self.forwarder(Self.port(invocation, "port"), to: server, sharesNetwork, orAny: !sharesNetwork)
        grpc = try Self.forwarder(Self.port(invocation, "grpc-port"), to: serverGRPC, sharesNetwork, orAny: false)
    }

    var url: String { "http://127.0.0.1:\(http?.port ?? server)" }
    var grpcAddress: String? { (grpc?.port ?? (sharesNetwork ? serverGRPC : nil)).map { "127.0.0.1:\($0)" } }

    func open(to network: SharedDescriptor?) throws(AsofError) {
        do throws(Errno) {
            try http?.start(to: server, in: network)
            try grpc?.start(to: serverGRPC, in: network)
        } catch { throw AsofError(error, "cannot hand the server's port on") }
    }

    func close() {
        http?.stop()
        grpc?.stop()
    }

    private static func forwarder(_ port: UInt16?, to target: UInt16, _ sharesNetwork: Bool, orAny: Bool) throws(AsofError) -> PortForwarder? {
        guard port != nil || orAny, !(sharesNetwork && port == target) else { return nil }
        do throws(Errno) { return try PortForwarder(port: port ?? 0) } catch { throw inUse(port ?? 0, error) }
    }

    private static func requireFree(_ port: UInt16) throws(AsofError) {
        do throws(Errno) { _ = try LoopbackSocket.listen(port: port) } catch { throw inUse(port, error) }
    }

    private static func inUse(_ port: UInt16, _ error: Errno) -> AsofError {
        guard error.rawValue == EADDRINUSE else { return AsofError(error, "cannot listen at 127.0.0.1:\(port)") }
        return AsofError(.failure, "port \(port) of 127.0.0.1 is in use", hint: "give another one; in a network of its own a server may use any, and no --port takes one that is free")
    }

    private static func port(_ invocation: Invocation, _ name: String) -> UInt16? { invocation.count(name).flatMap { UInt16(exactly: $0) } }

    /// `--port 8080` or `--port=8080`, as Weaviate has it.
    static func portInCommand(_ command: [String]) -> UInt16? {
        for (place, word) in command.enumerated() {
            if word == "--port", place + 1 < command.count { return UInt16(command[place + 1]) }
            if word.hasPrefix("--port=") { return UInt16(word.dropFirst(7)) }
        }
        return nil
    }
}
