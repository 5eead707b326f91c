internal import AsofCore

enum LogCommand {
    static let command = Command(
        "log",
        summary: "what changed, and when",
        discussion: [
            """
            Prints a line a transaction, oldest first: its number, its time and what was done to which path. Use it to find \
            the moment before something went wrong, then give that number to `asof mount --lsn`. Of a rename or a link both names \
            are printed; of a tick of `asof follow` the first three files (with `-v` or `--json` all).
            """,
            """
            With `--per` it prints totals for every period instead: the shape of a day on one page.
            """,
        ],
        options: [
            .value("path", "PATH", help: "Only changes of this file or below this folder; from the root of what is captured."),
            .value("from", "WHEN", .time, default: .described("the beginning"), help: "Only changes after this instant; one before the beginning means the beginning."),
            .value("to", "WHEN", .time, default: .described("latest"), help: "Only changes up to this instant."),
            .value(
                "per", "DURATION", .duration(1_000_000...315_360_000_000_000_000),
                help: "Totals for each period of this length."),
        ],
        examples: [
            Example("asof log --from -10m", "The last ten minutes."),
            Example("asof log --from -1d --per 1h", "Yesterday and today, an hour a line."),
            Example("asof log --path article/x9Kq --from -1h", "What happened to one shard."),
        ],
        sections: [
            TimesSection.section,
            ExitCodes.of([.failure, .noRepository, .key, .outsideWindow, .inGap, .damaged, .usage, .unavailable]),
        ])
}
