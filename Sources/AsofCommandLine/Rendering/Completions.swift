/// Scripts that complete a command line in a shell.
package enum Completions {
    package enum Shell: String, CaseIterable, Sendable { case bash, zsh, fish }

    package static func render(_ root: Command, _ shell: Shell) -> String {
        switch shell {
        case .bash: BashCompletions.render(root)
        case .zsh: ZshCompletions.render(root)
        case .fish: FishCompletions.render(root)
        }
    }
}

/// A command with the way to it, as the scripts see it.
struct CompletionNode {
    /// From the program to the command.
    var chain: [Command]

    var command: Command { chain[chain.count - 1] }
    /// `backup/create`; the program itself is empty.
    var path: String { chain.dropFirst().map(\.name).joined(separator: "/") }
    var options: [Option] { chain.flatMap(\.visibleOptions) }

    /// The program and every visible command below it.
    static func all(_ root: Command) -> [CompletionNode] { below([root]) }

    private static func below(_ chain: [Command]) -> [CompletionNode] {
        [CompletionNode(chain: chain)] + (chain.last?.visibleSubcommands ?? []).flatMap { below(chain + [$0]) }
    }

    /// The words that can follow a group.
    var subcommandWords: [String] { command.visibleSubcommands.flatMap { [$0.name] + $0.aliases } }
}

extension Option {
    /// The first sentence of the help, without marks and full stop.
    var shortHelp: String {
        let plain = MarkedText(help).plain
        let sentence = plain.split(separator: ". ").first.map(String.init) ?? plain
        return sentence.hasSuffix(".") ? String(sentence.dropLast()) : sentence
    }
}

extension ValueKind {
    /// Words that a shell can offer.
    var suggestions: [String] {
        switch self {
        case .text(let suggestions): suggestions
        case .choice(let choices): choices
        case .time: ["latest", "-10m", "-1h", "-1d"]
        case .owner: ["me"]
        case .file, .directory, .duration, .size, .count: []
        }
    }
}
