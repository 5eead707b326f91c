package import AsofCore

/// A command line that cannot be understood: what is wrong with it, what was probably meant, and how the command is written.
package struct UsageError: Error, Hashable, Sendable, CustomStringConvertible {
    package var message: String
    package var hint: String?
    /// The usage line of the command that the words led to, without `usage:`.
    package var usage: String
    /// Where the words led: the names of the command and its groups, without the program's.
    package var path: [String]

    package var description: String { "\(message)\n  usage: \(usage)\(hint.map { "\(AsofError.beforeHint)\($0)" } ?? "")" }

    /// The same, as every other failure is reported, without the usage line: exit code 64.
    package var failure: AsofError { AsofError(.usage, message, hint: hint) }
}
