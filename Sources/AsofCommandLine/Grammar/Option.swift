/// One option of a command: `--name`, perhaps with a letter, other names and a value.
package struct Option: Sendable {
    package enum Kind: Sendable {
        /// Present or not; counted, so `-vv` is 2.
        case flag
        /// `--name` or `--no-name`; nil when neither was given.
        case toggle
        /// Takes the next argument, whatever it looks like, or what follows `=`.
        case value(placeholder: String, ValueKind)
    }

    /// What holds when the option was not given.
    package enum Default: Sendable {
        case none
        /// This very text, as if it had been given.
        case value(String)
        /// The command works it out; the text only tells people how.
        case described(String)
    }

    /// Another long name. `prefix` is put before the value: `--lsn 120` is `--at lsn:120`.
    package struct Alias: Sendable {
        package var name: String
        package var prefix: String
        package var placeholder: String?

        package init(_ name: String, prefix: String = "", placeholder: String? = nil) {
            self.name = name
            self.prefix = prefix
            self.placeholder = placeholder
        }
    }

    /// Without the dashes.
    package var name: String
    package var short: Character?
    package var aliases: [Alias]
    package var kind: Kind
    package var fallback: Default
    /// An environment variable that gives the value when the command line does not.
    package var environment: String?
    /// Sentences; the first says what the option does.
    package var help: String
    package var isRepeatable: Bool
    /// Names of options that cannot be given together with this one.
    package var excludes: [String]
    package var isHidden: Bool

    package static func flag(
        _ name: String, short: Character? = nil, excludes: [String] = [], isHidden: Bool = false, help: String
    ) -> Option {
        Option(
            name: name, short: short, aliases: [], kind: .flag, fallback: .none, environment: nil, help: help,
            isRepeatable: true, excludes: excludes, isHidden: isHidden)
    }

    package static func toggle(_ name: String, default fallback: String, help: String) -> Option {
        Option(
            name: name, short: nil, aliases: [], kind: .toggle, fallback: .described(fallback), environment: nil, help: help,
            isRepeatable: false, excludes: [], isHidden: false)
    }

    package static func value(
        _ name: String, _ placeholder: String, _ kind: ValueKind = .text(), short: Character? = nil, aliases: [Alias] = [],
        default fallback: Default = .none, environment: String? = nil, isRepeatable: Bool = false, excludes: [String] = [],
        isHidden: Bool = false, help: String
    ) -> Option {
        Option(
            name: name, short: short, aliases: aliases, kind: .value(placeholder: placeholder, kind), fallback: fallback,
            environment: environment, help: help, isRepeatable: isRepeatable, excludes: excludes, isHidden: isHidden)
    }

    var takesValue: Bool { if case .value = kind { true } else { false } }
    var placeholder: String? { if case .value(let placeholder, _) = kind { placeholder } else { nil } }
    var valueKind: ValueKind? { if case .value(_, let kind) = kind { kind } else { nil } }

    /// Every way to write it, with dashes, the letter first: `-r`, `--repo`.
    var spellings: [String] {
        var all = short.map { ["-\($0)"] } ?? []
        all.append("--" + name)
        if case .toggle = kind { all.append("--no-" + name) }
        return all + aliases.map { "--" + $0.name }
    }

    /// As `spellings`, each long one with its value's placeholder: `-r`, `--repo REPO`.
    var signatures: [String] {
        guard let placeholder else { return spellings }
        let letter = short.map { ["-\($0)"] } ?? []
        return letter + ["--\(name) \(placeholder)"] + aliases.map { "--\($0.name) \($0.placeholder ?? placeholder)" }
    }

    /// The help with what the declaration knows besides: choices, default, environment.
    var fullHelp: String {
        var notes: [String] = []
        switch fallback {
        case .none: break
        case .value(let text): notes.append("default: \(text)")
        case .described(let text): notes.append("default: \(text)")
        }
        if let environment { notes.append("environment: \(environment)") }
        if isRepeatable && takesValue { notes.append("may be repeated") }
        return notes.isEmpty ? help : "\(help) (\(notes.joined(separator: "; ")))"
    }
}
