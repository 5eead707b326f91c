internal import AsofCore

enum PromoteCommand {
    static let command = Command(
        "promote",
        summary: "make a plain directory out of a mount that was changed",
        discussion: [
            """
            Writes the state that is mounted at MOUNTPOINT by `asof mount --rw`, with all that was changed there, to a new directory. The mount goes on \
            answering reads and writes while the past is written, which takes as long as `asof restore`; interrupted, the same command goes on. It ends \
            when nothing but the changes is left to write.
            """,
            """
            With `--finalize` the changes follow: from then on the mount can be read, but not changed any more; they are written, everything is \
            made durable, and DIR gets its name by one rename. Stop the server on the mount first: it refuses while a process has a file there \
            open for writing. `--finalize` can be given at once, or later without `--to`; interrupted, it goes on, or with another `--to` where the file \
            system of DIR cannot hold what is there. A promotion that was begun can be left alone as long as nothing was finalized: remove the hidden folder beside DIR.
            """,
        ],
        positionals: [Positional("MOUNTPOINT", .directory, help: "The folder that was given to mount.")],
        options: [
            .value("to", "DIR", .directory, help: "The directory to make: new, or an empty one."),
            .flag("finalize", help: "Write the changes, too, and give DIR its name."),
            .flag("status", help: "Only say how far it is."),
            .value("jobs", "N", .count(1...256), default: .value("1"), help: "How many threads read and write; more are faster, and felt by who uses the mount."),
            .value("limit", "RATE", .size(4096...UInt64.max), help: "Write at most so many bytes of files a second, such as 50MB."),
        ],
        examples: [
            Example("asof promote /mnt/try --to /var/lib/weaviate-new", "While the server there goes on."),
            Example("asof promote /mnt/try --finalize", "When it has been stopped."),
        ],
        sections: [
            ExitCodes.of([.failure, .incomplete, .noRepository, .locked, .key, .damaged, .usage, .unavailable, .interrupted])
        ])
}
