internal import AsofCore

enum CheckCommand {
    static let command = Command(
        "check",
        summary: "what would stop or weaken following here",
        discussion: [
            """
            Looks at everything that `asof follow DIR` needs on this machine, and prints a line for each: ok, weak (it works, but not as \
            well, or not as safely) or missing (it does not work), with what to do. Changes nothing, stops nobody.
            """,
            """
            Without DIR only the machine is looked at, without a repository only what needs none.
            """,
        ],
        positionals: [Positional("DIR", .directory, arity: .optional, help: "The data directory.")],
        options: FollowCommand.server + [CaptureOptions.spool],
        examples: [
            Example("asof check /var/lib/weaviate", "Before the first follow."),
            Example("asof check --json", "The machine alone, for a program."),
        ],
        sections: [ExitCodes.of([.incomplete, .usage])])
}
