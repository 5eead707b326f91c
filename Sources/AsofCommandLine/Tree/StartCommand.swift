internal import AsofCore

enum StartCommand {
    static let command = Command(
        "start",
        summary: "start a server on the directory as it was",
        discussion: [
            """
            Runs CMD on the past: the directory as of `--at`, with changes of its own above it, which go with the command or are kept with \
            `--overlay`. Nothing is copied. What it writes in its data directory stays in the overlay, and it reaches no other node.
            """,
            """
            CMD has mounts, processes, a host name and a network of its own. In that network there is a loopback and nothing else, and the host name is \
            the name that the node had, so that a cluster of one finds itself. On this host it answers on 127.0.0.1 alone, at `--port`, which is \
            handed on to the port that CMD listens on. Everything that CMD starts ends with it, and with asof, even by `kill -9`.
            """,
            """
            `PERSISTENCE_DATA_PATH` and `ASOF_MOUNT` say where the past is mounted; `CLUSTER_HOSTNAME`, `CLUSTER_ADVERTISE_ADDR`, \
            `CLUSTER_BIND_ADDR`, `RAFT_BOOTSTRAP_EXPECT` and `RAFT_JOIN` make it a cluster of one, `DISABLE_TELEMETRY` is set, and `*_WAIT_FOR_STARTUP` \
            of modules' services is false. What could lead to production is taken away and named: `CLUSTER_JOIN`, `BACKUP_*`, `OFFLOAD_*`, `AWS_*`, \
            `AZURE_*`, `GOOGLE_APPLICATION_CREDENTIALS`, `*_APIKEY`, `*_TOKEN` and the like, and the modules backup-*, offload-* and usage-* of `ENABLE_MODULES`.
            """,
            """
            Once the server is ready a line on standard output says where it answers and how long it took; what CMD prints goes to standard error. \
            The command runs until CMD ends: SIGINT, SIGTERM and SIGHUP are handed on to it. The exit code is CMD's: 128 + N where signal N ended it, \
            126 and 127 where it cannot be started; 1 where it ended well before it was ready, and 75 where it was not ready in time.
            """,
        ],
        positionals: [Positional("CMD", arity: .rest, help: "The server, with its arguments.")],
        options: [
            .value(
                "at", "WHEN", .time, aliases: [Option.Alias("time"), Option.Alias("lsn", prefix: "lsn:", placeholder: "N")],
                help: "The instant to start from."),
            .value("overlay", "DIR", .directory, help: "Keep the changes in DIR, unencrypted; the same command goes on with them."),
            .value("port", "N", .count(1...65_535), default: .described("a free one"), help: "Where it answers on this host's 127.0.0.1."),
            .value(
                "server-port", "N", .count(1...65_535), default: .described("what follows `--port` in CMD, else 8080"),
                help: "Where CMD listens in its own network."),
            .value("grpc-port", "N", .count(1...65_535), help: "Hand this port of 127.0.0.1 on to the server's gRPC port (`GRPC_PORT`, else 50051)."),
            .value("mount-at", "DIR", .directory, default: .described("a folder of asof's"), help: "Mount there, such as at the data directory's own path: only CMD sees it."),
            .value(
                "host-name", "NAME", default: .described("the node's name in the data directory, else this host's"),
                help: "The node's name, where the data directory does not tell it."),
            .value(
                "ready-path", "PATH", default: .value("/v1/.well-known/ready"),
                help: "The server is ready when a GET of this answers 200; empty: when it takes connections."),
            .value("ready-timeout", "DURATION", .duration(1_000_000...86_400_000_000_000), default: .value("10m"), help: "How long that may take."),
            .value("stop-timeout", "DURATION", .duration(0...86_400_000_000_000), default: .value("30s"), help: "How long the server may take to end after a signal, until it is killed."),
            .value(
                "owner", "OWNER", .owner,
                help: "Show all files as owned by `me` or by `UID:GID` instead of as recorded."),
            .toggle(
                "allow-other", default: "on for root, else off",
                help: "Let other users use the mount, such as one that CMD changes to (with `--mount-at`: a folder of asof's is closed to others)."),
            .value(
                "cache", "SIZE", .size((1 << 20)...(1 << 40)), default: .value("256MiB"),
                help: "Memory for what was read from the repository."),
            .value("unsafe-keep-env", "NAME", isRepeatable: true, help: "Leave this variable as it is. It may lead the server to production."),
            .flag("unsafe-shared-network", help: "Let the server use this host's network. It may reach production, and be reached."),
        ],
        examples: [
            Example("asof start --at -10m -- weaviate --host 127.0.0.1 --port 8080 --scheme http", "The database as it was ten minutes ago."),
            Example("asof start --at lsn:120 --overlay /var/tmp/try --port 9080 -- ./server.sh", "At a port of your choice; the changes stay."),
            Example("asof start --at latest --ready-path '' --server-port 5432 -- ./other-server", "A server that speaks no HTTP."),
        ],
        sections: [
            TimesSection.section,
            ExitCodes.of([
                .failure, .noRepository, .locked, .key, .outsideWindow, .inGap, .damaged, .usage, .unavailable,
            ]),
        ])
}
