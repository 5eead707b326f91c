import AsofCore

enum TimelineCommands {
    static let group = Command(
        "timeline",
        summary: "show which histories there are",
        discussion: [
            """
            A timeline is one history of one directory. Capturing a directory that was restored from the repository begins a child: it goes on \
            from the restored state, and the timeline that it left stays as it was. `--at` before that point shows what the parent has. `asof clone` \
            makes a child without a restore.
            """
        ],
        subcommands: [list])

    private static let list = Command(
        "list",
        summary: "draw all timelines as a tree",
        discussion: ["A line a timeline, below the one that it leaves: where it leaves it, and until when it goes."],
        examples: [
            Example("asof timeline list", "Which leaves which, and where."), Example("asof timeline list --json", "For a program."),
        ],
        sections: [ExitCodes.of([.failure, .noRepository, .key, .damaged, .usage, .unavailable])])
}
