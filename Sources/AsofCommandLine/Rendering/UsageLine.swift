/// `asof mount [options] MOUNTPOINT`: how a command is written, in one line.
enum UsageLine {
    static func render(_ chain: [Command]) -> String {
        guard let command = chain.last else { return "" }
        var words = chain.map(\.name)
        if !command.visibleOptions.isEmpty { words.append("[options]") }
        if command.isGroup { words.append("COMMAND") }
        return (words + command.positionals.map(\.usage)).joined(separator: " ")
    }
}
