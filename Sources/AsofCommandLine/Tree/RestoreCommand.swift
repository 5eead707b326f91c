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
                `--in-place DIR` is for a directory that cannot be renamed, such as the root of a volume; nobody may use it meanwhile. The \
                state is written into `DIR/.asof-restoring-ID`; when it is whole and on the disk the entries of DIR go into that folder and \
                those of the state come out of it, and DIR gets its attributes. The folder is then `DIR/.asof-replaced-TIME` and keeps what \
                was there before in `old`, until `asof restore --discard-old DIR`; captures leave it out. A crash in the middle of the \
                exchange leaves neither the old state nor the new one: DIR is closed to all but its restorer, no capture of it begins, and \
                the same command finishes it. `lost+found` stays as it is.
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
                .value("to", "DIR", .directory, excludes: ["in-place", "discard-old"], help: "The folder to make."),
                .value(
                    "in-place", "DIR", .directory, excludes: ["to", "discard-old"],
                    help: "The folder whose contents are replaced; what was there is kept in it."),
                .value(
                    "discard-old", "DIR", .directory, excludes: ["to", "in-place", "at", "validate"],
                    help: "Restore nothing: remove what restores in place kept in DIR of what was there before."),
                .flag("validate", help: "Only check that it can be done, and say what it takes."),
                .value("jobs", "N", .count(1...256), default: .described("four for each processor, at most 16"), help: "How many threads read and write."),
                .value("limit", "RATE", .size(4096...UInt64.max), help: "Write at most so many bytes of files a second, such as 50MB."),
            ],
            examples: [
                Example("asof \(group)restore --at 2026-11-23T10:30:00Z --to /srv/new --validate", "What would that take?"),
                Example("asof \(group)restore --at 2026-11-23T10:30:00Z --to /srv/new", "Do it."),
                Example("asof \(group)restore --at 2026-11-23T10:30:00Z --in-place /var/lib/weaviate", "The root of a volume, with the server stopped."),
                Example("asof \(group)restore --at -10m --to /srv/new --limit 100MB", "Beside a server that is working."),
            ],
            sections: [
                TimesSection.section,
                ExitCodes.of([
                    .failure, .incomplete, .noRepository, .locked, .key, .outsideWindow, .inGap, .damaged, .usage, .unavailable, .interrupted,
                ]),
            ])
    }
}
