/// `docs/reference.md`: every command, argument and option, as Markdown.
package enum ReferencePage {
    package static func render(_ root: Command) -> String {
        var blocks = [
            "# Command reference",
            """
            <!-- Generated from Sources/AsofCommandLine/Tree. Do not edit: change the declarations there, then run
                 ASOF_WRITE_REFERENCE=1 swift test --filter AsofCommandLineTests -->
            """,
        ]
        blocks += root.discussion
        blocks.append(contents(below: [root]).joined(separator: "\n"))
        blocks.append("## Options of every command")
        blocks.append(options(root))
        for section in root.sections {
            blocks.append("## \(section.title)")
            if let introduction = section.introduction { blocks.append(introduction) }
            blocks.append(table(["", ""], section.terms.map { [code($0.term), $0.meaning] }))
        }
        blocks.append(examples(root))
        blocks += commands(below: [root], shared: Set(root.sections.map(\.title)))
        return blocks.filter { !$0.isEmpty }.joined(separator: "\n\n") + "\n"
    }

    private static func contents(below chain: [Command]) -> [String] {
        (chain.last?.visibleSubcommands ?? []).flatMap { command in
            let path = chain + [command]
            let title = path.map(\.name).joined(separator: " ")
            let anchor = title.replacing(" ", with: "-")
            let indent = String(repeating: "  ", count: path.count - 2)
            return ["\(indent)- [`\(title)`](#\(anchor)): \(command.summary)"] + contents(below: path)
        }
    }

    private static func commands(below chain: [Command], shared: Set<String>) -> [String] {
        (chain.last?.visibleSubcommands ?? []).flatMap { command in
            let path = chain + [command]
            let title = path.map(\.name).joined(separator: " ")
            var blocks = ["## \(title)", "```\n\(UsageLine.render(path))\n```"]
            blocks += command.discussion
            if !command.aliases.isEmpty { blocks.append("Also: \(command.aliases.map(code).joined(separator: ", ")).") }
            if !command.positionals.isEmpty {
                blocks.append(table(["Argument", "Meaning"], command.positionals.map { [code($0.usage), $0.help] }))
            }
            blocks.append(options(command))
            blocks.append(examples(command))
            for section in command.sections {
                // A section that stands above in full needs only its terms here.
                let isRepeated = shared.contains(section.title)
                let terms = section.terms.map { code($0.term) }.joined(separator: ", ")
                blocks.append(
                    isRepeated
                        ? "\(section.title): \(terms)."
                        : table([section.title, ""], section.terms.map { [code($0.term), $0.meaning] }))
            }
            return blocks + commands(below: path, shared: shared)
        }
    }

    private static func options(_ command: Command) -> String {
        guard !command.visibleOptions.isEmpty else { return "" }
        return table(
            ["Option", "Meaning"],
            command.visibleOptions.map { [$0.signatures.map(code).joined(separator: ", "), $0.fullHelp] })
    }

    private static func examples(_ command: Command) -> String {
        guard !command.examples.isEmpty else { return "" }
        return "```\n" + command.examples.map { "# \(MarkedText($0.meaning).plain)\n\($0.line)" }.joined(separator: "\n")
            + "\n```"
    }

    private static func table(_ titles: [String], _ rows: [[String]]) -> String {
        ([titles, titles.map { _ in "---" }] + rows)
            .map { "| " + $0.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |" }.joined(separator: "\n")
    }

    private static func code(_ text: String) -> String { "`\(text)`" }
}
