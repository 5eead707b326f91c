internal import AsofCore

enum StatusCommand {
    static let command = Command(
        "status",
        summary: "what the mounts and recorders of this machine are doing",
        discussion: [
            """
            Lists every mount and recorder that asof runs here, with what each recorder has in its spool, what it has \
            published and when. With MOUNTPOINT, that one alone and in more detail. For what a repository holds, see `asof \
            window`.
            """,
            """
            A recorder answers here whether its repository does or not: while the repository cannot be read, its state is printed \
            all the same, with the trouble, and the code is 3.
            """,
        ],
        positionals: [Positional("MOUNTPOINT", .directory, arity: .optional, help: "Only what is mounted here.")],
        examples: [
            Example("asof status", "Everything on this machine."),
            Example("asof status /var/lib/weaviate --json", "One recorder, for a program."),
        ],
        sections: [ExitCodes.of([.failure, .incomplete, .noRepository, .key, .damaged, .usage, .unavailable])])
}
