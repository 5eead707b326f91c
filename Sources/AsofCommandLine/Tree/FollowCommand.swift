import AsofCore

enum FollowCommand {
    /// Who is stopped, and how changes are heard of.
    static let server: [Option] = [
        .value("pid", "N", .count(1...(1 << 22)), help: "Stop this process."),
        .value("pid-file", "FILE", .file, help: "Stop the process whose number FILE holds; read again after it has ended."),
        .value("cgroup", "PATH", .directory, help: "Stop every process of this cgroup, a folder below /sys/fs/cgroup."),
        .value("exe", "NAME", .text(), help: "Stop the processes of this program: its path, or the end of it."),
        .flag("no-stop", help: "Stop nobody. States are fuzzy while somebody writes."),
        .value(
            "stop-by", "WAY", .choice(["auto", "cgroup", "ptrace", "signal"]), default: .value("auto"),
            help: "How the server is made to stand still."),
        .value(
            "watch-by", "WAY", .choice(["auto", "fanotify", "inotify"]), default: .value("auto"),
            help: "How changes are heard of: fanotify needs CAP_SYS_ADMIN, inotify a watch for every directory."),
    ]

    static let command = Command(
        "follow",
        summary: "record a directory beside a running server",
        discussion: [
            """
            Watches DIR and logs, every `--tick`, everything that changed as one state. For the moment of a tick the server that \
            writes to DIR stands still, a millisecond or so: a state is then what a `kill -9` at that moment would have left, \
            which is what a database recovers from. Nothing is mounted under the server, and nothing is changed in it.
            """,
            """
            The server is the one process (with its children) that has files below DIR open for writing, unless an option says \
            otherwise. It may end and start again. While there is none, states are taken as they are. Several unrelated writers \
            are refused, and so are files that are mapped for writing.
            """,
            """
            A state in which something moved all the same is logged as fuzzy: a mount of it says so.
            """,
            """
            Runs in the foreground until SIGINT or SIGTERM. Files that are in DIR when it starts are read once; the first state is \
            complete when that is done. Needs a file system with file handles (ext4, xfs) and root, or CAP_SYS_PTRACE and \
            CAP_DAC_READ_SEARCH (and CAP_SYS_ADMIN to watch by fanotify).
            """,
        ],
        positionals: [Positional("DIR", .directory, help: "The data directory.")],
        options: [
            .value(
                "tick", "DURATION", .duration(10_000_000...3_600_000_000_000), default: .value("1s"),
                help: "How far apart two states are."),
        ] + server + [
            .value(
                "scan-rate", "SIZE", .size(1_048_576...(1 << 50)),
                help: "Read at most so many bytes a second when the directory is compared with the log."),
            .value(
                "audit", "SIZE", .size(4096...(1 << 50)),
                help: "Read so many bytes a second of files at rest again, and compare them with the log."),
            .flag("full", help: "Read every byte when the directory is compared with the log, whatever sizes and times say."),
            .flag("once", help: "Take one state and end: for cron. The first time everything is read, later what changed."),
        ] + CaptureOptions.all,
        examples: [
            Example("asof follow /var/lib/weaviate", "Beside a running server."),
            Example("asof follow --tick 100ms --stop-by ptrace /var/lib/weaviate", "Ten states a second."),
            Example("asof follow --once /var/lib/weaviate", "One state, now."),
        ],
        sections: [
            ExitCodes.of([.failure, .incomplete, .noRepository, .locked, .key, .damaged, .usage, .unavailable, .interrupted])
        ])
}
