/// Commands about the program itself. None of them needs a repository.
enum ProgramCommands {
    static let help = Command(
        "help",
        summary: "explain a command",
        discussion: ["`asof help mount` is `asof mount --help`. Without a command: what there is."],
        positionals: [Positional("COMMAND", arity: .variadic, help: "A command, such as mount or backup create.")],
        options: [.flag("man", help: "Print the manual page of the whole program, as roff.")],
        examples: [
            Example("asof help backup create", "One command."),
            Example("asof help --man > /usr/local/share/man/man1/asof.1", "Install the manual page."),
        ])

    static let version = Command(
        "version",
        summary: "print the version",
        discussion: ["Prints the version of this program, and the format of the repositories that it reads and writes."])

    static let completions = Command(
        "completions",
        summary: "print a script that completes commands in your shell",
        positionals: [
            Positional("SHELL", .choice(Completions.Shell.allCases.map(\.rawValue)), help: "bash, zsh or fish.")
        ],
        examples: [
            Example("asof completions bash > /etc/bash_completion.d/asof", "For everybody, with bash."),
            Example("asof completions zsh > ~/.zfunc/_asof", "A folder of your `fpath`."),
            Example("asof completions fish > ~/.config/fish/completions/asof.fish", "With fish."),
        ])
}
