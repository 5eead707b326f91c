import Testing

@testable import AsofCommandLine

@Suite("Help, manual and tree")
struct RenderingTests {
    static let nodes = CompletionNode.all(CommandTree.root)
    static let paths = nodes.map { $0.chain.dropFirst().map(\.name) }

    @Test(arguments: paths, [80, 100])
    func `help fits and names every option, argument and command`(path: [String], width: Int) throws {
        let command = try #require(CommandTree.root.chain(path).last)
        let help = HelpText.render(CommandTree.root, path: path, width: width)
        for line in help.split(separator: "\n") {
            #expect(line.count <= width, "\(line)")
            #expect(line.last != " ")
        }
        for spelling in CommandTree.root.chain(path).flatMap(\.visibleOptions).flatMap(\.spellings) {
            #expect(help.contains(spelling))
        }
        for positional in command.positionals { #expect(help.contains("  \(positional.name)")) }
        for child in command.visibleSubcommands { #expect(help.contains("  \(child.name)")) }
        for example in command.examples { #expect(help.contains(example.line)) }
        #expect(!help.contains("internal"))
    }

    @Test
    func `help of mount reads as it should`() {
        let help = HelpText.render(CommandTree.root, path: ["mount"], width: 80)
        #expect(
            help.hasPrefix("asof mount: show the directory as it was\n\nUsage: asof mount [options] [MOUNTPOINT] [-- CMD...]\n\n"))
        #expect(help.contains("--at WHEN, --time WHEN, --lsn N\n"))
        #expect(help.contains("\n  10   no repository there, or none named\n"))
        #expect(help.contains("(default: 256MiB)"))
    }

    @Test
    func `help of an unknown path is the help of what is known of it`() {
        #expect(HelpText.render(CommandTree.root, path: ["nonsense"]) == HelpText.render(CommandTree.root, path: []))
        #expect(HelpText.render(CommandTree.root, path: ["mount", "x"], width: -5).contains("MOUNTPOINT"))
    }

    @Test
    func `names are unique, known words only are explained, defaults pass their own checks`() throws {
        var kinds: [String: Bool] = [:]
        for node in Self.nodes {
            let spellings = node.chain.flatMap(\.options).flatMap(\.spellings)
            #expect(Set(spellings).count == spellings.count, "an option twice in \(node.path)")
            let words = node.command.subcommands.flatMap { [$0.name] + $0.aliases }
            #expect(Set(words).count == words.count)
            for word in node.command.explained.keys { #expect(node.command.subcommand(word) == nil, "\(word) is a command now") }
            for option in node.options {
                // The scripts for shells keep one list of the options that take a value.
                for spelling in option.spellings {
                    let known = kinds.updateValue(option.takesValue, forKey: spelling)
                    #expect(known == nil || known == option.takesValue, "\(spelling) takes a value here and none there")
                }
                for other in option.excludes { #expect(node.options.contains { $0.name == other }) }
                guard case .value(let text) = option.fallback else { continue }
                #expect(throws: Never.self) { try option.valueKind?.check(text, of: option.name) }
            }
            let arities = node.command.positionals.map(\.arity)
            #expect(!arities.dropLast().contains(.variadic))
            if let optional = arities.firstIndex(of: .optional) { #expect(!arities[optional...].contains(.required)) }
        }
    }

    @Test
    func `every example is a line that parses`() throws {
        for node in Self.nodes {
            for example in node.command.examples where example.line.hasPrefix("asof ") {
                let line = example.line.prefix { $0 != "&" && $0 != ">" }
                let words = line.split(separator: " ").dropFirst().map(String.init)
                #expect(throws: Never.self, "\(example.line)") { try Parser.parse(CommandTree.root, words) }
            }
        }
    }

    @Test
    func `wrapping keeps short commands whole`() {
        #expect(TextLayout.wrap("one two `asof help` three", width: 24) == ["one two `asof help`", "three"])
        #expect(TextLayout.wrap("one two three `asof help` x", width: 24) == ["one two three", "`asof help` x"])
        #expect(TextLayout.wrap("averyveryverylongword x", width: 5) == ["averyveryverylongword", "x"])
        #expect(TextLayout.wrap("", width: 10) == [])
    }

    @Test
    func `the manual page names everything and is roff that groff accepts`() throws {
        let page = ManualPage.render(CommandTree.root, version: "1.0-test")
        for node in Self.nodes {
            for option in node.command.visibleOptions {
                #expect(page.contains("\\-\\-" + option.name.replacing("-", with: "\\-")))
            }
        }
        #expect(!page.contains("internal"))
        #expect(page.hasPrefix(".TH ASOF 1 \"\" \"asof 1.0\\-test\""))
        guard
            let groff = try Shell.run("command -v groff >/dev/null && groff -ww -mandoc -Tutf8 \"$1\" 2>&1 >/dev/null", on: page)
        else { return }
        if groff.status != 127 { #expect(groff.output.isEmpty, "\(groff.output)") }
    }
}
