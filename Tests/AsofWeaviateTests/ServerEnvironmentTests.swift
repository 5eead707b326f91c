import AsofWeaviate
import Testing

@Suite("The environment of a server on the past")
struct ServerEnvironmentTests {
    private func environment(_ list: String..., keeping kept: Set<String> = [], ports: ServerEnvironment.NodePorts? = nil) -> ServerEnvironment {
        ServerEnvironment(EnvironmentVariables(list), dataPath: "/past", nodeName: "node1", ports: ports, keeping: kept)
    }

    @Test(arguments: [
        ("CLUSTER_JOIN", true), ("CLUSTER_ADVERTISE_PORT", true), ("BACKUP_FILESYSTEM_PATH", true), ("OFFLOAD_S3_BUCKET", true),
        ("AWS_SECRET_ACCESS_KEY", true), ("AZURE_APIKEY", true), ("GOOGLE_APPLICATION_CREDENTIALS", true), ("COHERE_APIKEY", true),
        ("SOME_API_KEY", true), ("USAGE_S3_BUCKET", true), ("SENTRY_DSN", true),
        ("EXPERIMENTAL_OTEL_EXPORTER_OTLP_ENDPOINT", true), ("DATABRICKS_TOKEN", true), ("MAINTENANCE_NODES", true),
        // The server's own.
        ("AUTHENTICATION_APIKEY_ENABLED", false), ("AUTHENTICATION_APIKEY_ALLOWED_KEYS", false), ("AUTOSCHEMA_ENABLED", false), ("PATH", false),
        ("CLUSTER_BASIC_AUTH_USERNAME", false), ("QUERY_DEFAULTS_LIMIT", false),
    ])
    func `loses what leads outside and nothing else`(_ name: String, _ isRemoved: Bool) {
        let result = environment("\(name)=x")
        #expect((result.variables[name] == nil) == isRemoved)
        #expect(result.removed == (isRemoved ? [name] : []))
        #expect(environment("\(name)=x", keeping: [name]).variables[name] == "x")
    }

    @Test func `says that it is a cluster of one`() {
        let variables = environment("PERSISTENCE_DATA_PATH=/var/lib/weaviate", "CLUSTER_HOSTNAME=other", "RAFT_BOOTSTRAP_EXPECT=3").variables
        #expect(variables["PERSISTENCE_DATA_PATH"] == "/past")
        #expect(variables["CLUSTER_HOSTNAME"] == "node1" && variables["RAFT_JOIN"] == "node1")
        #expect(variables["RAFT_BOOTSTRAP_EXPECT"] == "1" && variables["CLUSTER_ADVERTISE_ADDR"] == "127.0.0.1")
        #expect(variables["CLUSTER_GOSSIP_BIND_PORT"] == nil)
        #expect(environment("RAFT_JOIN=node1,node2").removed == ["RAFT_JOIN"])
        #expect(environment("RAFT_JOIN=node1").removed == [])
        #expect(environment("RAFT_JOIN=a,b", keeping: ["RAFT_JOIN"]).variables["RAFT_JOIN"] == "a,b")
    }

    @Test func `talks to other nodes at the loopback alone, and waits for no service of a module`() {
        let variables = environment("CLUSTER_BIND_ADDR=10.0.0.7", "TRANSFORMERS_WAIT_FOR_STARTUP=true").variables
        #expect(variables["CLUSTER_BIND_ADDR"] == "127.0.0.1")
        #expect(variables["TRANSFORMERS_WAIT_FOR_STARTUP"] == "false" && variables["CLIP_WAIT_FOR_STARTUP"] == "false")
        #expect(environment("CLIP_WAIT_FOR_STARTUP=true", keeping: ["CLIP_WAIT_FOR_STARTUP"]).variables["CLIP_WAIT_FOR_STARTUP"] == "true")
    }

    @Test func `uses ports of its own where the network is shared`() {
        let variables = environment(ports: ServerEnvironment.NodePorts([1, 2, 3, 4, 5, 6])).variables
        #expect(variables["CLUSTER_GOSSIP_BIND_PORT"] == "1" && variables["RAFT_INTERNAL_RPC_PORT"] == "4")
        #expect(variables["RAFT_JOIN"] == "node1:4")
    }

    @Test func `keeps the modules that classes need`() {
        let result = environment("ENABLE_MODULES=text2vec-openai, backup-s3,offload-s3,generative-cohere,usage-gcs")
        #expect(result.variables["ENABLE_MODULES"] == "text2vec-openai,generative-cohere")
        #expect(result.removed == ["backup-s3, offload-s3, usage-gcs of ENABLE_MODULES"])
        #expect(environment("ENABLE_MODULES=none").removed.isEmpty)
    }
}
