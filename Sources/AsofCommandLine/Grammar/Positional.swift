/// An argument that is known by its place.
package struct Positional: Sendable {
    package enum Arity: Sendable, Equatable {
        case required
        case optional
        /// Any number, none included; always the last.
        case variadic
        /// Everything after `--`, untouched: another program's command line.
        case rest
        /// The same, and it may be absent: the command that is run when all is there.
        case command
        /// Required, unless a command follows `--`.
        case unlessCommand
    }

    /// In capitals, as help shows it.
    package var name: String
    package var arity: Arity
    package var kind: ValueKind
    package var help: String

    package init(_ name: String, _ kind: ValueKind = .text(), arity: Arity = .required, help: String) {
        self.name = name
        self.arity = arity
        self.kind = kind
        self.help = help
    }

    /// As a usage line shows it.
    var usage: String {
        switch arity {
        case .required: name
        case .optional: "[\(name)]"
        case .variadic: "[\(name)...]"
        case .rest: "-- \(name)..."
        case .command: "[-- \(name)...]"
        case .unlessCommand: "[\(name)]"
        }
    }
}
