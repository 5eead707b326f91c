internal import AsofCommandLine
internal import AsofCore

/// What a command would do, where `--dry-run` asks: a sentence, or an object for programs.
enum DryRun {
    private struct Plan: Encodable {
        var dryRun = true
        var command: String
        /// The sentence without "would".
        var would: String
        /// What it would be done with.
        var with: [String: String]
    }

    static func say(_ would: String, with details: [String: String], _ invocation: Invocation) throws(AsofError) {
        guard invocation.flag("json") else { return Console.line("would \(would)") }
        try Console.json(Plan(command: invocation.path.joined(separator: " "), would: would, with: details))
    }
}
