/// A program, a group of commands (`backup`) or a command (`backup create`): a value that parsing, help, completions, the manual
/// page and `docs/reference.md` are renderings of.
package struct Command: Sendable {
    package var name: String
    /// Other words that mean this command.
    package var aliases: [String]
    /// One line, lower case, without a full stop.
    package var summary: String
    /// Paragraphs of plain text, of any length: every rendering breaks lines for itself. Words in backticks are code.
    package var discussion: [String]
    package var examples: [Example]
    package var positionals: [Positional]
    /// Options of this command and of everything below it.
    package var options: [Option]
    package var subcommands: [Command]
    /// Lists that follow the discussion: times, exit codes.
    package var sections: [Section]
    /// Parsed, but in no help, completion or document.
    package var isHidden: Bool
    /// Words that people will try here and that are no command, each with what to do instead.
    package var explained: [String: String]

    package init(
        _ name: String, aliases: [String] = [], summary: String, discussion: [String] = [], positionals: [Positional] = [],
        options: [Option] = [], subcommands: [Command] = [], examples: [Example] = [], sections: [Section] = [],
        isHidden: Bool = false, explained: [String: String] = [:]
    ) {
        self.name = name
        self.aliases = aliases
        self.summary = summary
        self.discussion = discussion
        self.examples = examples
        self.positionals = positionals
        self.options = options
        self.subcommands = subcommands
        self.sections = sections
        self.isHidden = isHidden
        self.explained = explained
    }

    /// The command below this one that `word` names, by its name or an alias.
    func subcommand(_ word: String) -> Command? {
        subcommands.first { $0.name == word } ?? subcommands.first { $0.aliases.contains(word) }
    }

    var visibleSubcommands: [Command] { subcommands.filter { !$0.isHidden } }
    var visibleOptions: [Option] { options.filter { !$0.isHidden } }

    /// Whether the command only groups others and cannot run by itself.
    var isGroup: Bool { !subcommands.isEmpty }

    /// This command and those that `path` leads through, outermost first; as far as the words are known.
    func chain(_ path: [String]) -> [Command] {
        var chain = [self]
        var current = self
        for word in path {
            guard let next = current.subcommand(word) else { break }
            chain.append(next)
            current = next
        }
        return chain
    }
}

/// A command line worth copying, and what it does.
package struct Example: Sendable {
    package var line: String
    package var meaning: String

    package init(_ line: String, _ meaning: String) {
        self.line = line
        self.meaning = meaning
    }
}

/// A titled list of terms with their meanings, perhaps after a paragraph.
package struct Section: Sendable {
    package var title: String
    package var introduction: String?
    package var terms: [Term]

    package struct Term: Sendable {
        package var term: String
        package var meaning: String
    }

    package init(_ title: String, introduction: String? = nil, terms: [(String, String)]) {
        self.title = title
        self.introduction = introduction
        self.terms = terms.map { Term(term: $0.0, meaning: $0.1) }
    }
}
