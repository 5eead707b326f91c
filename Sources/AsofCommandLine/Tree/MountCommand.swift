internal import AsofCore

enum MountCommand {
    static let command = Command(
        "mount",
        summary: "show the directory as it was",
        discussion: [
            """
            With `--at`, MOUNTPOINT is the directory as it was then. Nothing is copied: files are fetched as they are read, so \
            it takes a blink whatever the size. The command returns when the mount is ready, and a process in the background \
            serves it until `asof umount`.
            """,
            """
            Without `--at`, MOUNTPOINT is a directory of time: any instant is a folder in it, whether listed or not, such as \
            `2026-11-23T10:30:00Z`, `lsn-120`, `10m-ago` and `latest`.
            """,
            """
            With `--rw` it can be changed: what differs from the past is kept in an overlay, and the past stays as it was. Without `--overlay` the \
            changes go with the mount. With it they are kept in DIR: fsync makes them durable, and the same command mounts them again, after a crash \
            as well. An overlay belongs to one state: `latest` and `-10m` mean, where DIR holds an overlay already, the state that it lies over.
            """,
            """
            With `-- CMD` the mount is for CMD and what it starts alone: it is mounted in a mount namespace that nobody else sees, and gone when CMD \
            ends. So MOUNTPOINT may be a folder that is in use, such as the data directory itself: CMD then finds the past at the usual path. Without \
            MOUNTPOINT a folder of asof's is taken. `$ASOF_MOUNT` says where it is. The exit code is CMD's: 128 + N where signal N ended it, 126 and \
            127 where it cannot be started. Processes that CMD leaves behind find the mount gone (ENOTCONN). Who is not root needs user \
            namespaces, and sees all files as his own.
            """,
            """
            The extended attributes `user.asof.time`, `user.asof.lsn` and `user.asof.timeline` of the mounted folder say which \
            state it is. Needs `/dev/fuse`, and `fusermount3` unless root runs it.
            """,
        ],
        positionals: [
            Positional("MOUNTPOINT", .directory, arity: .unlessCommand, help: "An empty folder; with CMD any folder, or none."),
            Positional("CMD", arity: .command, help: "Run this with the mount, which goes when it ends."),
        ],
        options: [
            .value(
                "at", "WHEN", .time, aliases: [Option.Alias("time"), Option.Alias("lsn", prefix: "lsn:", placeholder: "N")],
                help: "The instant to show; `--lsn 120` is `--at lsn:120`."),
            .flag("rw", help: "Let it be changed, in an overlay. Needs `--at`."),
            .value("overlay", "DIR", .directory, help: "Keep the changes of `--rw` in DIR, unencrypted."),
            .flag("foreground", help: "Serve in this process and do not return; SIGINT or SIGTERM unmounts."),
            .toggle(
                "allow-other", default: "on for root, else off",
                help: "Let other users use the mount. For a user who is not root this needs `user_allow_other` in /etc/fuse.conf."
            ),
            .value(
                "owner", "OWNER", .owner,
                help: "Show all files as owned by `me` or by `UID:GID` instead of as recorded."),
            .value(
                "cache", "SIZE", .size((1 << 20)...(1 << 40)), default: .value("256MiB"),
                help: "Memory for what was read from the repository."),
        ],
        examples: [
            Example("asof mount --at 2026-11-23T10:30:00Z /mnt/past", "The directory at that moment."),
            Example("asof mount --at -10m --owner me /mnt/past", "Ten minutes ago, readable by whoever runs this."),
            Example("asof mount --at -10m --rw --overlay /var/tmp/try /mnt/try", "To work on; the changes stay in /var/tmp/try."),
            Example("asof mount --at -10m /var/lib/weaviate -- ls -l /var/lib/weaviate", "Only that command sees the past, and at the usual path."),
            Example("asof mount --at -10m -- sh -c 'cd $ASOF_MOUNT && sha256sum *'", "Without a folder to name or to clean up."),
            Example("asof mount /mnt/time && ls /mnt/time/1h-ago", "A directory of time."),
            Example("cp -a /mnt/past/classname /var/lib/rescued", "Copy a part of it out; `asof restore` writes all of it."),
        ],
        sections: [
            TimesSection.section,
            ExitCodes.of([
                .failure, .noRepository, .locked, .key, .outsideWindow, .inGap, .damaged, .usage, .unavailable, .interrupted,
            ]),
        ])
}
