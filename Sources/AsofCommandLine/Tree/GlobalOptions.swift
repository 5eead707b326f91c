/// Options that every command takes.
enum GlobalOptions {
    static let all: [Option] = [
        .value(
            "repo", "REPO", .directory, short: "r", environment: "ASOF_REPO",
            help: "The repository: a folder."),
        .value(
            "timeline", "NAME", default: .value("main"), environment: "ASOF_TIMELINE",
            help: "The history to read or write; a repository can hold several."),
        .value(
            "key-file", "FILE", .file, environment: "ASOF_KEY_FILE", excludes: ["key-env"],
            help: "A file that holds the key of an encrypted repository, or a pipe that gives it."),
        .value(
            "key-env", "NAME", excludes: ["key-file"],
            help: "The environment variable that holds the key. A key is never an argument: other users can read those."),
        .value(
            "state-dir", "DIR", .directory, default: .described("/var/lib/asof for root, else ~/.local/state/asof"),
            environment: "ASOF_STATE_DIR",
            help: "Where this machine keeps spools, sockets and what it knows of running commands."),
        .flag("json", help: "Print JSON for programs instead of text for people: one value; of `log` and of a capture's events one a line."),
        .flag("dry-run", short: "n", help: "Say what would be done; change nothing."),
        .flag("quiet", short: "q", excludes: ["verbose"], help: "Print results and errors only."),
        .flag("verbose", short: "v", excludes: ["quiet"], help: "Say more on standard error; twice says everything."),
        .flag("help", short: "h", help: "Print this command's help."),
        .flag("version", help: "Print the version."),
    ]
}
