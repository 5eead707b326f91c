internal import AsofCommandLine
internal import AsofCore
internal import AsofRepository

enum VersionVerb {
    private struct Answer: Encodable {
        var version: String
        /// Of repositories: what it reads and writes.
        var format: Int
    }

    static func run(_ invocation: Invocation) throws(AsofError) {
        let answer = Answer(version: Program.version, format: RepositoryConfiguration.formatVersion)
        if invocation.flag("json") { return try Console.json(answer) }
        Console.line("asof \(answer.version) (repository format \(answer.format))")
    }
}
