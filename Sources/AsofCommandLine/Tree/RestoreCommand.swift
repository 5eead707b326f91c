import AsofCore

enum RestoreCommand {
    static let command = named("restore")
    /// The same under `backup`.
    static let ofBackups = named("restore", group: "backup ")

    private static func named(_ name: String, group: String = "") -> Command {
        Command(
            name,
            summary: "write the directory as it was into a new folder",
            discussion: [
                """
                The state of `--at` is written beside DIR, into `DIR.asof-restoring-ID`: every byte checked, with modes, owners (as \
                root), times, extended attributes, symbolic and hard links; holes stay holes. When everything is on the disk it is \
                renamed to DIR. So DIR is there whole or not at all. It may be an empty folder or nothing yet.
                """,
                """
                Interrupted in whatever way, the same command goes on where it ended; what was asked for as `latest` or `-10m` stays the \
                state that it meant at first. To give up, remove the folder `DIR.asof-restoring-ID`.
                """,
                """
                `--validate` writes nothing: it says what would be read and whether all of it is there, how much space it takes and about \
                how long, and prints the command that does it.
                """,
            ],
            options: [
                .value(
                    "at", "WHEN", .time, aliases: [Option.Alias("time"), Option.Alias("lsn", prefix: "lsn:", placeholder: "N")],
                    help: "The instant to restore; `--lsn 120` is `--at lsn:120`."),
                .value("to", "DIR", .directory, help: "The folder to make."),
                .flag("validate", help: "Only check that it can be done, and say what it takes."),
                .value("jobs", "N", .count(1...256), default: .described("one for each processor, at most 8"), help: "How many threads read and write."),
                .value("limit", "RATE", .size(4096...UInt64.max), help: "Write at most so many bytes of files a second, such as 50MB."),
            ],
            examples: [
                Example("asof \(group)restore --at 2026-11-23T10:30:00Z --to /srv/new --validate", "What would that take?"),
                Example("asof \(group)restore --at 2026-11-23T10:30:00Z --to /srv/new", "Do it."),
                Example("asof \(group)restore --at -10m --to /srv/new --limit 100MB", "Beside a server that is working."),
            ],
            sections: [
                TimesSection.section,
                ExitCodes.of([
                    .failure, .noRepository, .locked, .key, .outsideWindow, .inGap, .damaged, .usage, .unavailable, .interrupted,
                ]),
            ])
    }
}
