/// Ways in which asof starts itself. Not for people: in no help and free to change.
enum InternalCommands {
    /// The server in the background of `asof mount`: runs the command line after `--` and says on a descriptor when it is ready.
    static let serve = Command(
        "internal-serve",
        summary: "serve a mount in the background",
        positionals: [Positional("ARGUMENT", arity: .rest, help: "The command line to serve.")],
        options: [
            .value("ready-descriptor", "N", .count(0...1_000_000), help: "Where to say that the mount is ready."),
            .flag("key-handed-over", help: "The key is on a descriptor: what the command line names can be read once only."),
        ],
        isHidden: true)

    /// The parent of the command of `asof mount … -- CMD` and `asof start`: makes its namespaces, starts it, and ends it when asof has died.
    static let keep = Command(
        "internal-keep",
        summary: "keep a command that sees the past",
        positionals: [Positional("CMD", arity: .rest, help: "The command.")],
        options: [
            .value("directory", "DIR", .directory, help: "Where the command starts."),
            .value("host-name", "NAME", help: "The host's name, for the command. With it come mounts and a process namespace of its own."),
            .flag("own-network", help: "A network namespace with a loopback and nothing else."),
            .flag("drop-capabilities", help: "Take from the command what only the namespaces needed."),
            .value("overlay", "DIR", .directory, help: "Changes that nobody needs any more when asof has died."),
        ],
        isHidden: true)

    /// Becomes the command after `--`.
    static let execute = Command(
        "internal-execute",
        summary: "become a command",
        positionals: [Positional("CMD", arity: .rest, help: "The command.")],
        options: [
            .value("parent", "N", .count(0...(1 << 30)), help: "The process with which the command ends."),
            .flag("drop-capabilities", help: "As `internal-keep` has it."),
        ],
        isHidden: true)

    /// The names that `ASOF_CRASH_AT` takes: for the campaign that kills the program at each of them.
    static let crashPoints = Command("internal-crash-points", summary: "list the crash points", isHidden: true)
}
