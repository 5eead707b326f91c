/// Ways in which asof starts itself. Not for people: in no help and free to change.
enum InternalCommands {
    /// The server in the background of `asof mount`: runs the command line after `--` and says on a descriptor when it is ready.
    static let serve = Command(
        "internal-serve",
        summary: "serve a mount in the background",
        positionals: [Positional("ARGUMENT", arity: .rest, help: "The command line to serve.")],
        options: [
            .value("ready-descriptor", "N", .count(0...1_000_000), help: "Where to say that the mount is ready.")
        ],
        isHidden: true)

    /// The names that `ASOF_CRASH_AT` takes: for the campaign that kills the program at each of them.
    static let crashPoints = Command("internal-crash-points", summary: "list the crash points", isHidden: true)
}
