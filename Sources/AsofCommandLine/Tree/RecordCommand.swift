internal import AsofCore

enum RecordCommand {
    static let command = Command(
        "record",
        summary: "record every change made at a mount point",
        discussion: [
            """
            Mounts BACKING at MOUNTPOINT and records every change that is made there. Start the server on MOUNTPOINT, and let \
            nothing else write to BACKING. The files stay in BACKING, as they are.
            """,
            """
            Runs in the foreground and prints one line when the mount is ready (with `--json` an object). SIGINT or SIGTERM (Ctrl-C) ends it: what is \
            recorded is sealed and published, then the mount goes away. Stop the server first.
            """,
            """
            Every change is in the local log before the server's call returns, and on disk before its fsync returns. Every \
            `--interval` the log is sealed into a segment and published to the repository. When the repository does not \
            answer, the log grows in the spool until `--spool-limit`.
            """,
            """
            Needs `/dev/fuse`, and room for the spool on a disk of its own if possible. Files that are in BACKING when \
            recording starts are read once in the background; the first state is complete when that is done.
            """,
        ],
        positionals: [
            Positional("BACKING", .directory, help: "The folder that holds the files."),
            Positional("MOUNTPOINT", .directory, help: "An empty folder: where the server is to work."),
        ],
        options: CaptureOptions.all + [
            .toggle(
                "allow-other", default: "on for root, else off",
                help: "Let other users use the mount. For a user who is not root this needs `user_allow_other` in /etc/fuse.conf."
            ),
            .value(
                "threads", "N", .count(1...256), default: .described("by the number of processors"),
                help: "How many threads answer the kernel."),
        ],
        examples: [
            Example(
                "asof record /var/lib/weaviate.data /var/lib/weaviate",
                "Files live in weaviate.data; the server works in weaviate."),
            Example(
                "asof record --interval 1s --spool /fast/spool /data /srv/weaviate",
                "Publish every second, from a spool on another disk."),
            Example("asof record --take-over /data /srv/weaviate", "Go on after the machine that recorded before was lost."),
        ],
        sections: [
            ExitCodes.of([.failure, .incomplete, .noRepository, .locked, .key, .damaged, .usage, .unavailable, .interrupted])
        ])
}
