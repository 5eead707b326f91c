/// The whole command line of `asof`.
package enum CommandTree {
    package static let root = Command(
        "asof",
        summary: "every past state of a Weaviate data directory, mountable as of any instant",
        discussion: [
            """
            asof keeps a log of every change of a data directory in a repository, and shows the directory as it was at any \
            instant of that log: at once, whatever its size. The repository is named by `--repo` or `ASOF_REPO`, \
            never by an argument's place.
            """
        ],
        options: GlobalOptions.all,
        subcommands: [
            InitCommand.command, FollowCommand.command, RecordCommand.command, MountCommand.command, UnmountCommand.command, StartCommand.command,
            RestoreCommand.command, DiffCommand.command, PromoteCommand.command,
            WindowCommand.command, StatusCommand.command, CheckCommand.command, LogCommand.command, BackupCommands.group, CloneCommand.command, TimelineCommands.group, ProgramCommands.help, ProgramCommands.version,
            ProgramCommands.completions, InternalCommands.serve, InternalCommands.keep, InternalCommands.execute,
            InternalCommands.crashPoints,
        ],
        examples: [
            Example("export ASOF_REPO=/backups/weaviate", "Name the repository once, for everything below."),
            Example("asof init", "Create it."),
            Example("asof follow /var/lib/weaviate", "Record beside a running server."),
            Example("asof window", "From when to when, gaps, how far behind."),
            Example("asof mount --at -10m /mnt/past", "The directory as it was ten minutes ago."),
            Example("asof umount /mnt/past", "Done looking."),
            Example("asof start --at -10m -- weaviate --port 8080 --scheme http", "A server on that state, isolated, with changes of its own."),
            Example("asof restore --at -10m --to /var/lib/weaviate-new", "A plain copy of that state, to start a server on."),
        ],
        sections: [TimesSection.section, TimesSection.quantities, ExitCodes.all],
        explained: [
            "verify": "asof mount checks every frame it reads; asof window shows what is there",
            "snapshot": "every instant is kept; asof backup create --type base makes older ones quicker to open",
        ])
}
