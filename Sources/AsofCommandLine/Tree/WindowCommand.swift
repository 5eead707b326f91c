internal import AsofCore

enum WindowCommand {
    static let command = Command(
        "window",
        summary: "from when to when there are states, and where the gaps are",
        discussion: [
            """
            Prints the first and the last instant that can be mounted, every gap between them in which nothing was recorded, \
            and how far the repository is behind now. Reads the repository only: it works on any machine that can.
            """,
            """
            Says how many states are fuzzy, and when: something moved while `asof follow` took them, and some of their files may be \
            torn. A fuzzy state lasts until the next transaction.
            """,
            """
            A quiet directory is not a gap: the last instant moves on while the recorder lives, changes or not.
            """,
        ],
        examples: [
            Example("asof window", "The window of the timeline main."),
            Example("asof window --json", "The same for a program that watches it."),
        ],
        sections: [ExitCodes.of([.failure, .noRepository, .key, .damaged, .usage, .unavailable])])
}
