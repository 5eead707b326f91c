/// A failure that a person reads: what happened, to what, and what to do next.
package struct AsofError: Error, CustomStringConvertible, Sendable {
    /// Why, coarsely: decides the exit code and whether trying again can help.
    package enum Code: Int32, Sendable {
        case failure = 1
        case incomplete = 3
        case noRepository = 10
        case locked = 11
        case key = 12
        case outsideWindow = 20
        case inGap = 21
        case damaged = 22
        case usage = 64
        /// A store or disk that does not answer now: trying again may help.
        case unavailable = 75
        case interrupted = 130
        /// Nobody reads what the command prints any more: what a shell says of a program that SIGPIPE ended.
        case outputClosed = 141
    }

    package var code: Code
    package var message: String
    /// One sentence that a tired operator can act on.
    package var hint: String?

    package init(_ code: Code, _ message: String, hint: String? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
    }

    /// A line, and one for the hint: there is no other line feed in it, whatever names and reasons from outside the message holds.
    package var description: String {
        let message = Self.oneLine(message)
        guard let hint else { return message }
        return message + Self.beforeHint + Self.oneLine(hint)
    }

    /// What stands between message and hint.
    package static let beforeHint = "\n  hint: "

    private static func oneLine(_ text: String) -> String {
        guard text.utf8.contains(0x0A) else { return text }
        return text.unicodeScalars.reduce(into: "") { line, scalar in
            if scalar == "\n" { line += "\\u{a}" } else { line.unicodeScalars.append(scalar) }
        }
    }

    /// The same failure, said to have happened while doing something larger.
    package func during(_ what: String) -> AsofError { AsofError(code, "\(what): \(message)", hint: hint) }
}
