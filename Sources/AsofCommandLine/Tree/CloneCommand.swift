import AsofCore

enum CloneCommand {
    static let command = Command(
        "clone",
        summary: "begin another history at a state of this one",
        discussion: [
            """
            Makes the timeline NAME of `--timeline`: it holds everything up to the state of `--at`, and goes on from there by itself. Nothing is \
            copied, whatever the size, and the timeline that it leaves is not touched.
            """,
            """
            Every command works on it, by `--timeline NAME`: mount it to look, restore it to work on. What is captured of the restored folder goes \
            into the clone.
            """,
        ],
        options: [
            .value(
                "at", "WHEN", .time, aliases: [Option.Alias("time"), Option.Alias("lsn", prefix: "lsn:", placeholder: "N")],
                help: "The state to begin with; `--lsn 120` is `--at lsn:120`."),
            .value("from", "NAME", default: .value("main"), environment: "ASOF_TIMELINE", help: "The timeline that it leaves."),
        ],
        examples: [
            Example("asof clone --at -10m --timeline try", "A history to experiment in."),
            Example("asof --timeline try restore --at latest --to /srv/try", "A folder of it, to start a server on."),
            Example("asof follow /srv/try", "Captured in `try`, since the folder says that it is of it."),
        ],
        sections: [
            TimesSection.section,
            ExitCodes.of([.failure, .noRepository, .key, .outsideWindow, .inGap, .damaged, .usage, .unavailable]),
        ])
}
