/// The environment of a server that runs alone on another node's past: what could lead it to production is taken away, what makes it a cluster of
/// one is set.
package struct ServerEnvironment: Sendable {
    /// Ports for the talk between nodes, where the network is shared with others and the usual ones may be taken.
    package struct NodePorts: Sendable {
        package var gossip, data, raft, raftInternal, profiling, metrics: UInt16

        /// Six ports, in this order.
        package init?(_ ports: [UInt16]) {
            guard ports.count == 6 else { return nil }
            (gossip, data, raft) = (ports[0], ports[1], ports[2])
            (raftInternal, profiling, metrics) = (ports[3], ports[4], ports[5])
        }
    }

    package private(set) var variables: EnvironmentVariables
    /// What was taken away, for people: a name, or a name and the values that went from it.
    package private(set) var removed: [String] = []

    package init(
        _ inherited: EnvironmentVariables, dataPath: String, nodeName: String, ports: NodePorts? = nil, keeping kept: Set<String> = []
    ) {
        variables = inherited
        for name in inherited.names where !kept.contains(name) && Self.leadsOutside(name) {
            variables[name] = nil
            removed.append(name)
        }
        if let modules = inherited["ENABLE_MODULES"], !kept.contains("ENABLE_MODULES") { setModules(modules) }
        var settings = [
            "PERSISTENCE_DATA_PATH": dataPath, "CLUSTER_HOSTNAME": nodeName, "CLUSTER_ADVERTISE_ADDR": "127.0.0.1",
            "CLUSTER_BIND_ADDR": "127.0.0.1", "RAFT_BOOTSTRAP_EXPECT": "1", "DISABLE_TELEMETRY": "true",
        ]
        for service in Self.servicesWaitedFor { settings["\(service)_WAIT_FOR_STARTUP"] = "false" }
        // A variable of production's that names others; by itself a node joins itself.
        if inherited["RAFT_JOIN"] != nil, inherited["RAFT_JOIN"] != nodeName { removed.append("RAFT_JOIN") }
        settings["RAFT_JOIN"] = nodeName
        if let ports {
            settings["CLUSTER_GOSSIP_BIND_PORT"] = String(ports.gossip)
            settings["CLUSTER_DATA_BIND_PORT"] = String(ports.data)
            settings["RAFT_PORT"] = String(ports.raft)
            settings["RAFT_INTERNAL_RPC_PORT"] = String(ports.raftInternal)
            settings["GO_PROFILING_PORT"] = String(ports.profiling)
            settings["PROMETHEUS_MONITORING_PORT"] = String(ports.metrics)
            settings["RAFT_JOIN"] = "\(nodeName):\(ports.raftInternal)"
        }
        for (name, value) in settings where !kept.contains(name) || inherited[name] == nil { variables[name] = value }
        removed.sort()
    }

    /// One variable more.
    package mutating func set(_ name: String, _ value: String) { variables[name] = value }

    /// Modules that write to, or read from, places that production uses: they go, the others stay, since classes may need them.
    private mutating func setModules(_ list: String) {
        let modules = list.split(separator: ",").map { String($0).trimmed }
        let outside = modules.filter { module in ["backup-", "offload-", "usage-"].contains { module.hasPrefix($0) } }
        guard !outside.isEmpty else { return }
        variables["ENABLE_MODULES"] = modules.filter { !outside.contains($0) }.joined(separator: ",")
        removed.append("\(outside.joined(separator: ", ")) of ENABLE_MODULES")
    }

    /// Whether a server could find production, or spend its money, by this variable.
    static func leadsOutside(_ name: String) -> Bool {
        exact.contains(name) || prefixes.contains { name.hasPrefix($0) } || suffixes.contains { name.hasSuffix($0) }
    }

    private static let exact: Set<String> = [
        "CLUSTER_JOIN", "CLUSTER_ADVERTISE_PORT", "GOOGLE_APPLICATION_CREDENTIALS", "RUNTIME_OVERRIDES_PATH", "RUNTIME_OVERRIDES_ENABLED",
        // Of a node that belonged to a cluster of several: they make one that has no peers wait for them.
        "RAFT_JOIN_TIMEOUT", "REPLICATION_MINIMUM_FACTOR",
        // A node named there answers every question with an error.
        "MAINTENANCE_NODES",
    ]
    private static let prefixes = ["BACKUP_", "OFFLOAD_", "AWS_", "AZURE_", "GCP_", "USAGE_", "EXPORT_", "SENTRY_", "OTEL_", "EXPERIMENTAL_OTEL_"]
    /// Keys of services that make vectors and answers. (The server's own, AUTHENTICATION_APIKEY_ALLOWED_KEYS, ends otherwise.)
    private static let suffixes = ["_APIKEY", "_API_KEY", "_TOKEN", "_ORGANIZATION"]
    /// Services of modules, by the first word of their variables, for which a start waits and fails in the end, unless it is told not to.
    private static let servicesWaitedFor = ["CLIP", "GPT4ALL", "MODEL2VEC", "NER", "QNA", "RERANKER", "SUM", "TRANSFORMERS"]
}

extension String {
    fileprivate var trimmed: String { String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
}
