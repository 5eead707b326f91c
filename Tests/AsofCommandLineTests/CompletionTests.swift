import Testing

@testable import AsofCommandLine

@Suite("Completions")
struct CompletionTests {
    @Test(arguments: Completions.Shell.allCases)
    func `know every command and option, and nothing hidden`(shell: Completions.Shell) {
        let script = Completions.render(CommandTree.root, shell)
        for node in CompletionNode.all(CommandTree.root) {
            #expect(script.contains(node.command.name))
            for option in node.command.visibleOptions { #expect(script.contains(option.name)) }
        }
        #expect(!script.contains("internal"))
    }

    @Test(arguments: Completions.Shell.allCases)
    func `are accepted by their shell, where it is installed`(shell: Completions.Shell) throws {
        guard try Shell.exists(shell.rawValue) else { return }
        let outcome = try #require(
            try Shell.run("\(shell.rawValue) -n \"$1\" 2>&1", on: Completions.render(CommandTree.root, shell)))
        #expect(outcome.status == 0, "\(outcome.output)")
        #expect(outcome.output.isEmpty)
    }

    /// Words typed, the last one unfinished, and what bash must offer.
    static let typed: [([String], [String])] = [
        (["asof", "moun"], ["mount"]),
        (["asof", "un"], ["unmount"]),
        (["asof", "backup", ""], ["create", "list", "restore"]),
        (["asof", "--json", "backup", "cr"], ["create"]),
        (["asof", "-r", "mount", "ba"], ["backup"]),
        (["asof", "backup", "create", "--ty"], ["--type"]),
        (["asof", "backup", "create", "--type", "b"], ["base"]),
        (["asof", "backup", "create", "--type", "=", "i"], ["incremental"]),
        (["asof", "backup", "create", "--type", "="], ["base", "incremental"]),
        (["asof", "mount", "--at", "la"], ["latest"]),
        (["asof", "mount", "--at", "-1"], ["-10m", "-1h", "-1d"]),
        (["asof", "mount", "--fore"], ["--foreground"]),
        (["asof", "mount", "--no-a"], ["--no-allow-other"]),
        (["asof", "umount", "--tim"], ["--timeline"]),
        (["asof", "completions", ""], ["bash", "zsh", "fish"]),
        (["asof", "help", "win"], ["window"]),
        (["asof", "internal"], []),
        (["asof", "mount", "/us"], ["/usr"]),
        (["asof", "mount", "--at", "latest", "/us"], ["/usr"]),
        (["asof", "window", "/us"], []),
        (["asof", "--key-file", "/etc/passw"], ["/etc/passwd"]),
    ]

    @Test(arguments: typed)
    func `complete words in bash`(words: [String], expected: [String]) throws {
        guard try Shell.exists("bash") else { return }
        let line = words.map { "'\($0)'" }.joined(separator: " ")
        let probe = """

            COMP_WORDS=(\(line)); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _asof
            printf '%s\\n' "${COMPREPLY[@]}"
            """
        let outcome = try #require(
            try Shell.run("bash --norc \"$1\" 2>&1", on: Completions.render(CommandTree.root, .bash) + probe))
        let offered = outcome.output.split(separator: "\n").map(String.init)
        if expected == ["/etc/passwd"] {
            #expect(offered.contains("/etc/passwd"))
        } else {
            #expect(offered.sorted() == expected.sorted())
        }
    }
}
