/// Words to meaning, by the tree and nothing else: no I/O, no state.
package enum Parser {
    /// Understands `arguments` (without the program's name). `environment` supplies values that the command line leaves out; a
    /// variable that is empty counts as unset.
    package static func parse(
        _ root: Command, _ arguments: [String], environment: [String: String] = [:]
    ) throws(UsageError) -> Invocation {
        var words = WordReader(root, arguments)
        do throws(UsageError) {
            try words.readAll()
        } catch {
            // Whoever asks for help gets help, however wrong the rest is.
            guard words.asksForHelp else { throw error }
            return words.invocation(.help)
        }
        return try InvocationBuilder(root: root, words: words).invocation(environment)
    }
}

/// Reads words from left to right: commands, options and arguments.
struct WordReader {
    let root: Command
    private let arguments: [String]
    private var index = 0

    /// From the program to the command that was named.
    private(set) var chain: [Command]
    private(set) var flags: [String: [Bool]] = [:]
    private(set) var given: [String: [String]] = [:]
    /// Words that are neither command nor option.
    private(set) var plain: [String] = []
    /// What stood after `--`.
    private(set) var afterDashes: [String] = []

    init(_ root: Command, _ arguments: [String]) {
        self.root = root
        self.arguments = arguments
        chain = [root]
    }

    var command: Command { chain.last ?? root }
    var path: [String] { chain.dropFirst().map(\.name) }
    var options: [Option] { chain.flatMap(\.options) }

    var asksForHelp: Bool {
        flags["help"] != nil || arguments[index...].prefix { $0 != "--" }.contains { $0 == "--help" || $0 == "-h" }
    }

    func invocation(_ purpose: Invocation.Purpose) -> Invocation {
        var invocation = Invocation(purpose: purpose, path: path, options: options, positionals: command.positionals)
        invocation.flags = flags
        invocation.given = given
        return invocation
    }

    func failure(_ message: String, hint: String? = nil) -> UsageError {
        UsageError(message: message, hint: hint, usage: UsageLine.render(chain), path: path)
    }

    mutating func readAll() throws(UsageError) {
        while index < arguments.count {
            let word = arguments[index]
            index += 1
            if word == "--" {
                afterDashes = Array(arguments[index...])
                return
            }
            if word.hasPrefix("--") {
                try readLong(word)
            } else if word.hasPrefix("-"), word != "-" {
                try readCluster(word)
            } else if command.isGroup {
                try descend(word)
            } else {
                plain.append(word)
            }
        }
    }

    private mutating func descend(_ word: String) throws(UsageError) {
        if let next = command.subcommand(word) {
            chain.append(next)
            return
        }
        let name = chain.map(\.name).joined(separator: " ")
        if let explanation = command.explained[word] {
            throw failure("there is no \(name) \(word) in this release", hint: explanation)
        }
        let near = Nearest.to(word, among: command.visibleSubcommands.flatMap { [$0.name] + $0.aliases })
        throw failure(
            "\(name) has no command \(Printable.quoted(word))",
            hint: near.map { "did you mean \(name) \($0)?" } ?? "`\(name) --help` lists the commands")
    }

    /// `--name`, `--name=value`, `--name value`, `--no-name`.
    private mutating func readLong(_ word: String) throws(UsageError) {
        let body = word.utf8.dropFirst(2)
        let equals = body.firstIndex(of: UInt8(ascii: "="))
        let name = String(decoding: equals.map { body[..<$0] } ?? body, as: UTF8.self)
        let attached = equals.map { String(decoding: body[body.index(after: $0)...], as: UTF8.self) }

        guard let match = match(long: name) else { throw unknown("--" + name) }
        switch match.option.kind {
        case .flag, .toggle:
            guard attached == nil else { throw failure("--\(name) takes no value") }
            flags[match.option.name, default: []].append(match.state)
        case .value:
            try take(attached, for: match.option, as: "--" + name, prefix: match.prefix)
        }
    }

    /// `-n`, `-nv`, `-r value`, `-rvalue`, `-nrvalue`.
    private mutating func readCluster(_ word: String) throws(UsageError) {
        var left = word.dropFirst()
        while let letter = left.popFirst() {
            guard let option = options.last(where: { $0.short == letter }) else {
                let isTime = letter.isASCII && letter.isWholeNumber
                throw failure(
                    "unknown option \(Printable.quoted("-" + String(letter)))",
                    hint: isTime ? "a time follows its option: --at \(Printable.text(word, limit: 20))" : nil)
            }
            guard option.takesValue else {
                flags[option.name, default: []].append(true)
                continue
            }
            let attached = left.isEmpty ? nil : String(left.first == "=" ? left.dropFirst() : left)
            try take(attached, for: option, as: "-\(letter)", prefix: "")
            return
        }
    }

    private mutating func take(_ attached: String?, for option: Option, as spelling: String, prefix: String) throws(UsageError) {
        var value: String
        if let attached {
            value = attached
        } else if index < arguments.count {
            value = arguments[index]
            index += 1
        } else {
            throw failure("\(spelling) needs a value", hint: "write \(spelling) \(option.placeholder ?? "VALUE")")
        }
        guard option.isRepeatable || given[option.name] == nil else {
            throw failure("--\(option.name) was given twice", hint: "give it once: two answers to one question are a slip")
        }
        if !prefix.isEmpty, !value.hasPrefix(prefix) { value = prefix + value }
        given[option.name, default: []].append(value)
    }

    private func match(long name: String) -> (option: Option, state: Bool, prefix: String)? {
        for option in options.reversed() {
            if option.name == name { return (option, true, "") }
            if let alias = option.aliases.first(where: { $0.name == name }) { return (option, true, alias.prefix) }
            if case .toggle = option.kind, name == "no-" + option.name { return (option, false, "") }
        }
        return nil
    }

    private func unknown(_ spelling: String) -> UsageError {
        let message = "unknown option \(Printable.quoted(spelling))"
        let candidates = options.filter { !$0.isHidden }.flatMap(\.spellings)
        if let near = Nearest.to(spelling, among: candidates.filter { $0.hasPrefix("--") }) {
            return failure(message, hint: "did you mean \(near)?")
        }
        let owners = Self.owners(of: spelling, below: command, name: chain.map(\.name))
        guard !owners.isEmpty else { return failure(message) }
        return failure(message, hint: "it belongs to \(owners.joined(separator: ", ")): write it after the command's name")
    }

    /// Commands further down that know the option.
    private static func owners(of spelling: String, below command: Command, name: [String]) -> [String] {
        command.visibleSubcommands.flatMap { next in
            let here =
                next.options.contains { $0.spellings.contains(spelling) } ? [(name + [next.name]).joined(separator: " ")] : []
            return here + owners(of: spelling, below: next, name: name + [next.name])
        }
    }
}
