/// Help for a terminal.
package enum HelpText {
    /// The help of the command at `path` below `root`, in lines of at most `width` characters where words allow it. Words of
    /// `path` that lead nowhere are ignored.
    package static func render(_ root: Command, path: [String], width: Int = 80) -> String {
        let chain = root.chain(path)
        let command = chain.last ?? root
        let width = max(width, 40)
        let title = chain.map(\.name).joined(separator: " ")
        var blocks: [[String]] = [
            TextLayout.wrap("\(title): \(command.summary)", width: width),
            TextLayout.wrap("Usage: \(UsageLine.render(chain))", width: width),
        ]
        blocks += command.discussion.map { TextLayout.wrap($0, width: width) }
        blocks.append(titled("Commands", command.visibleSubcommands.map { (commandTerm($0), $0.summary) }, width))
        blocks.append(titled("Arguments", command.positionals.map { ($0.name, $0.help) }, width))
        blocks.append(titled(chain.count > 1 ? "Options" : "Options of every command", optionTerms(command), width))
        if chain.count > 1 { blocks.append(inherited(chain, width)) }
        blocks.append(examples(command, width))
        for section in command.sections {
            var lines = titled(section.title, section.terms.map { ($0.term, $0.meaning) }, width)
            if let introduction = section.introduction, !lines.isEmpty {
                lines.insert(contentsOf: TextLayout.wrap(introduction, width: width, indent: "  "), at: 1)
            }
            blocks.append(lines)
        }
        if command.isGroup {
            blocks.append(TextLayout.wrap("`\(help(chain)) COMMAND` explains a command.", width: width))
        }
        return blocks.filter { !$0.isEmpty }.map { $0.joined(separator: "\n") }.joined(separator: "\n\n") + "\n"
    }

    private static func help(_ chain: [Command]) -> String {
        ([chain.first?.name ?? "", "help"] + chain.dropFirst().map(\.name)).joined(separator: " ")
    }

    private static func commandTerm(_ command: Command) -> String { ([command.name] + command.aliases).joined(separator: ", ") }

    private static func optionTerms(_ command: Command) -> [(String, String)] {
        // Long names stand below each other, whether a letter goes before or not.
        let hasLetters = command.visibleOptions.contains { $0.short != nil }
        return command.visibleOptions.map { option in
            let indent = hasLetters && option.short == nil ? "    " : ""
            return (indent + option.signatures.joined(separator: ", "), option.fullHelp)
        }
    }

    private static func titled(_ title: String, _ terms: [(String, String)], _ width: Int) -> [String] {
        terms.isEmpty ? [] : [title + ":"] + TextLayout.definitions(terms.map { (term: $0.0, meaning: $0.1) }, width: width)
    }

    /// Options of the program, by name only: their help is on its own page.
    private static func inherited(_ chain: [Command], _ width: Int) -> [String] {
        let options = chain.dropLast().flatMap(\.visibleOptions)
        let names = options.map { $0.signatures.joined(separator: "/") }
        let listed = names.enumerated().map { $0.offset < names.count - 1 ? $0.element + "," : $0.element }
        return ["Options of every command (see `\(chain.first?.name ?? "") help`):"]
            + TextLayout.fill(listed, width: width, indent: "  ")
    }

    private static func examples(_ command: Command, _ width: Int) -> [String] {
        guard !command.examples.isEmpty else { return [] }
        return ["Examples:"]
            + command.examples.flatMap { ["  " + $0.line] + TextLayout.wrap($0.meaning, width: width, indent: "      ") }
    }
}
