internal import AsofCore

enum BackupCommands {
    static let group = Command(
        "backup",
        summary: "create, list and restore backups",
        discussion: [
            """
            Recording makes every instant a backup, so these commands are for schedules and for habits: they see to it that this \
            instant is in the repository, and list the bases, which make what is behind them quicker to open.
            """
        ],
        subcommands: [create, list, RestoreCommand.ofBackups])

    private static let create = Command(
        "create",
        summary: "make a backup of the present state",
        discussion: [
            """
            `incremental` asks the recorder to seal and publish what it has, so that the repository holds this very moment. \
            `base` also merges the history so far into a run that holds the whole directory: states after it open without \
            anything older. A base reads the repository, never the server.
            """,
            """
            Prints the id of the backup: a UTC time that every WHEN accepts.
            """,
        ],
        options: [
            .value(
                "type", "TYPE", .choice(["base", "incremental"]), default: .value("incremental"),
                help: "`base` or `incremental`.")
        ],
        examples: [
            Example("asof backup create --type incremental", "Publish now, before an upgrade."),
            Example("asof backup create --type base", "Once a day, from a timer."),
        ],
        sections: [ExitCodes.of([.failure, .noRepository, .locked, .key, .damaged, .usage, .unavailable])])

    private static let list = Command(
        "list",
        summary: "list the bases, oldest first",
        discussion: [
            """
            Prints a line a base: its id, its type, its transaction, the size of its index and the segments since. What \
            `--type incremental` made is not listed: it is an instant of the window like any other, and all of those can be \
            mounted, between two bases and behind the last one: see `asof window`.
            """
        ],
        examples: [Example("asof backup list --json", "For a program.")],
        sections: [ExitCodes.of([.failure, .noRepository, .key, .damaged, .usage, .unavailable])])
}
