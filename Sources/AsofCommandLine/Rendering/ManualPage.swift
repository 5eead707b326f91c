/// The manual page of the whole program, asof(1), as roff with the man macros.
package enum ManualPage {
    /// `version` is shown at the foot. The text depends on nothing else, so a build can be repeated.
    package static func render(_ root: Command, version: String) -> String {
        let page = root.name.uppercased()
        var text = ".TH \(page) 1 \"\" \"\(root.name) \(escaped(version))\" \"User Commands\"\n.nh\n.ad l\n"
        text += ".SH NAME\n\(root.name) \\- \(escaped(root.summary))\n"
        text += ".SH SYNOPSIS\n" + synopsis([root])
        text += ".SH DESCRIPTION\n" + paragraphs(root.discussion)
        text += ".SH COMMANDS\n" + commands(below: [root])
        text += ".SH OPTIONS OF EVERY COMMAND\n" + definitions(root.visibleOptions.map(definition))
        text += root.sections.map { heading(".SH", $0.title) + body($0) }.joined()
        text += ".SH ENVIRONMENT\n"
        text += definitions(
            root.visibleOptions.compactMap { option in
                option.environment.map { (bold($0), marked("Stands for `--\(option.name)` where that is not given.")) }
            })
        text += ".SH EXAMPLES\n" + examples(root)
        return text
    }

    private static func synopsis(_ chain: [Command]) -> String {
        guard let command = chain.last else { return "" }
        if command.isGroup { return command.visibleSubcommands.map { synopsis(chain + [$0]) }.joined() }
        let words = chain.map(\.name).joined(separator: " ")
        let usage = UsageLine.render(chain).dropFirst(words.count)
        return "\(bold(words))\(escaped(String(usage)))\n.br\n"
    }

    private static func commands(below chain: [Command]) -> String {
        guard let parent = chain.last else { return "" }
        return parent.visibleSubcommands.map { command in
            let path = chain + [command]
            var text = heading(".SS", UsageLine.render(path))
            text += paragraphs([command.summary.prefix(1).uppercased() + command.summary.dropFirst() + "."] + command.discussion)
            if !command.aliases.isEmpty { text += ".PP\nAlso: \(command.aliases.map(bold).joined(separator: ", ")).\n" }
            text += definitions(command.positionals.map { (bold($0.name), marked($0.help)) })
            text += definitions(command.visibleOptions.map(definition))
            text += examples(command)
            return text + commands(below: path)
        }.joined()
    }

    private static func definition(_ option: Option) -> (String, String) {
        (option.signatures.map(bold).joined(separator: ", "), marked(option.fullHelp))
    }

    private static func definitions(_ terms: [(String, String)]) -> String {
        terms.map { ".TP\n\($0.0)\n\($0.1)\n" }.joined()
    }

    private static func body(_ section: Section) -> String {
        (section.introduction.map { paragraphs([$0]) } ?? "")
            + definitions(section.terms.map { (bold($0.term), marked($0.meaning)) })
    }

    private static func examples(_ command: Command) -> String {
        command.examples.map { ".PP\n\(marked($0.meaning))\n.PP\n.nf\n.RS\n\(escaped($0.line))\n.RE\n.fi\n" }.joined()
    }

    private static func paragraphs(_ texts: [String]) -> String { texts.map { ".PP\n\(marked($0))\n" }.joined() }

    private static func heading(_ macro: String, _ title: String) -> String {
        "\(macro) \"\(escaped(title).replacing("\"", with: "\\(dq"))\"\n"
    }

    private static func marked(_ text: String) -> String {
        let line = MarkedText(text).pieces.map { $0.isCode ? bold($0.text) : escaped($0.text) }.joined()
        return line.hasPrefix(".") || line.hasPrefix("'") ? "\\&" + line : line
    }

    private static func bold(_ text: String) -> String { "\\fB\(escaped(text))\\fR" }

    /// Backslashes and hyphens as themselves; a line that begins with a control character begins with nothing first.
    private static func escaped(_ text: String) -> String {
        let line = text.replacing("\\", with: "\\e").replacing("-", with: "\\-")
        return line.hasPrefix(".") || line.hasPrefix("'") ? "\\&" + line : line
    }
}
