internal import AsofCommandLine
internal import AsofCore

enum CompletionsVerb {
    static func run(_ invocation: Invocation) throws(AsofError) {
        guard let shell = Completions.Shell(rawValue: try invocation.argument("SHELL")) else {
            throw AsofError(.usage, "there are no completions for this shell", hint: "there are for bash, zsh and fish")
        }
        Console.write(Completions.render(CommandTree.root, shell))
    }
}
