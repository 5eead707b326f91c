internal import AsofCommandLine
internal import AsofCore
internal import AsofRepository
internal import AsofSystem
internal import Glibc

/// Standard output for results, standard error for everything else. Names and reasons in what is printed may come from anybody, so
/// nothing in a line moves a terminal's cursor or begins a line of its own; JSON escapes by itself.
enum Console {
    /// Text of ours that has lines of its own: help, tables, whose cells are escaped already.
    static func write(_ text: String) { StandardOutput.write(Array(text.utf8)) }
    static func line(_ text: String) { write(Printable.text(text) + "\n") }
    /// The hint of a failure that the text describes keeps its line.
    static func note(_ text: String) {
        let parts = text.split(separator: AsofError.beforeHint).map { Printable.text(String($0)) }
        try? SystemCall.writeFully(STDERR_FILENO, Array("asof: \(parts.joined(separator: AsofError.beforeHint))\n".utf8))
    }

    /// A base is damaged, and what it says is read from the log.
    static func note(brokenBase reason: AsofError) {
        note("\(reason.message). What that base says is read from the log instead, which takes longer; `asof backup create --type base` makes a newer one")
    }

    /// `usage`: of the command that was meant, where the command line is wrong.
    static func error(_ failure: AsofError, usage: String? = nil, asJSON: Bool = false) {
        if asJSON, let bytes = try? JSONText.encode(Failure(failure)) {
            return (try? SystemCall.writeFully(STDERR_FILENO, bytes + [0x0A])) ?? ()
        }
        var lines = [Printable.text(failure.message)]
        if let usage { lines.append("  usage: \(usage)") }
        if let hint = failure.hint { lines.append("  hint: \(Printable.text(hint))") }
        try? SystemCall.writeFully(STDERR_FILENO, Array("asof: \(lines.joined(separator: "\n"))\n".utf8))
    }

    static func json(_ value: some Encodable) throws(AsofError) { StandardOutput.write(try JSONText.encode(value) + [0x0A]) }

    static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    static var columns: Int {
        var size = winsize()
        guard isatty(STDOUT_FILENO) == 1, ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 20 else { return 80 }
        return min(Int(size.ws_col), 100)
    }

    /// A failure for programs: also how a background server tells its starter what hindered it.
    struct Failure: Codable {
        var error: String
        var hint: String?
        var code: Int32

        init(_ failure: AsofError) {
            error = failure.message
            hint = failure.hint
            code = failure.code.rawValue
        }

        var failure: AsofError { AsofError(AsofError.Code(rawValue: code) ?? .failure, error, hint: hint) }
    }
}

/// A line on a terminal that says how far something is, for whatever takes longer than a second.
final class Progress: Sendable {
    private let thread: NamedThread?
    private let state = Monitor(false)

    init(_ text: @escaping @Sendable () -> String, isQuiet: Bool) {
        guard Console.isTerminal, !isQuiet else { thread = nil; return }
        let state = self.state
        thread = try? NamedThread("asof-progress") {
            var wait: Duration = .seconds(1)
            var isShown = false
            while !state.wait(timeout: wait, until: { $0 }) {
                try? SystemCall.writeFully(STDERR_FILENO, Array("\r\u{1B}[K\(text())".utf8))
                isShown = true
                wait = .milliseconds(200)
            }
            if isShown { try? SystemCall.writeFully(STDERR_FILENO, Array("\r\u{1B}[K".utf8)) }
        }
    }

    func end() {
        state.withLock { $0 = true }
        state.broadcast()
        thread?.join()
    }
}
