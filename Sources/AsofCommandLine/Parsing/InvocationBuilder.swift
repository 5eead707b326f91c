internal import AsofCore

/// The second half of parsing: once every word is read, what is missing, too much, contradictory or not a value.
struct InvocationBuilder {
    let root: Command
    let words: WordReader

    func invocation(_ environment: [String: String]) throws(UsageError) -> Invocation {
        if words.flags["help"] != nil { return words.invocation(.help) }
        if words.flags["version"] != nil, let version = root.subcommand("version") {
            return Invocation(
                purpose: .run, path: [version.name], flags: words.flags, options: root.options + version.options,
                positionals: version.positionals)
        }
        if words.path == ["help"] { return try help() }
        guard !words.command.isGroup else { return try groupAlone() }

        var invocation = words.invocation(.run)
        try place(into: &invocation)
        try checkExclusions()
        for option in words.options { try settle(option, environment, into: &invocation) }
        return invocation
    }

    /// `asof` alone is a question; `asof backup` alone is half a sentence.
    private func groupAlone() throws(UsageError) -> Invocation {
        let isQuestion = words.path.isEmpty && words.flags.isEmpty && words.given.isEmpty && words.afterDashes.isEmpty
        guard !isQuestion else { return words.invocation(.help) }
        let names = words.command.visibleSubcommands.map(\.name).joined(separator: ", ")
        throw words.failure("\(words.chain.map(\.name).joined(separator: " ")) needs a command", hint: "one of \(names)")
    }

    /// `asof help backup create` is `asof backup create --help`.
    private func help() throws(UsageError) -> Invocation {
        let isManual = words.flags["man"] != nil
        // The words are read once more as the command line whose help is asked for.
        var reader = WordReader(root, words.plain + words.afterDashes)
        try reader.readAll()
        guard reader.plain.isEmpty, reader.flags.isEmpty, reader.given.isEmpty else {
            throw words.failure(
                "there is no command \(Printable.quoted((words.plain + words.afterDashes).joined(separator: " ")))",
                hint: "`\(root.name) --help` lists the commands")
        }
        return reader.invocation(isManual ? .manual : .help)
    }

    private func place(into invocation: inout Invocation) throws(UsageError) {
        let positionals = words.command.positionals
        var left = words.plain[...]
        if positionals.contains(where: { $0.arity == .rest || $0.arity == .command }) {
            invocation.rest = words.afterDashes
        } else {
            left += words.afterDashes
        }
        for positional in positionals where positional.arity != .rest && positional.arity != .command {
            if positional.arity == .variadic {
                invocation.placed[positional.name] = Array(left)
                left = []
            } else if let word = left.popFirst() {
                invocation.placed[positional.name] = [word]
            } else if positional.arity == .required || positional.arity == .unlessCommand && invocation.rest.isEmpty {
                throw words.failure("missing \(positional.name)", hint: "\(positional.name): \(positional.help)")
            }
            for word in invocation.placed[positional.name] ?? [] { try check(word, positional.kind, positional.name) }
        }
        if let extra = left.first {
            throw words.failure("one argument too many: \(Printable.quoted(extra))", hint: "a name with spaces needs quotes")
        }
    }

    private func checkExclusions() throws(UsageError) {
        for option in words.options where isGiven(option.name) {
            if let other = option.excludes.first(where: isGiven) {
                throw words.failure("--\(option.name) and --\(other) exclude each other", hint: "give one of the two")
            }
        }
    }

    private func isGiven(_ name: String) -> Bool { words.given[name] != nil || words.flags[name] != nil }

    private func settle(_ option: Option, _ environment: [String: String], into invocation: inout Invocation) throws(UsageError) {
        guard let kind = option.valueKind else { return }
        if let values = words.given[option.name] {
            for value in values { try check(value, kind, "--\(option.name)") }
            return
        }
        // What was said outranks the environment, also when it was said by the option's rival.
        let rivals = option.excludes + words.options.filter { $0.excludes.contains(option.name) }.map(\.name)
        let isOutranked = rivals.contains(where: isGiven)
        guard !isOutranked, let variable = option.environment, let value = environment[variable], !value.isEmpty else { return }
        try check(value, kind, variable)
        invocation.fromEnvironment[option.name] = value
    }

    private func check(_ text: String, _ kind: ValueKind, _ subject: String) throws(UsageError) {
        do throws(AsofError) {
            try kind.check(text, of: subject)
        } catch {
            throw words.failure(error.message, hint: error.hint)
        }
    }
}
