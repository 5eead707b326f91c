import Glibc

/// Runs small scripts on a file, for what only the real program can judge.
enum Shell {
    struct Outcome {
        var status: Int32
        var output: String
    }

    /// Writes `text` to a file, runs `command` with its path as `$1` by `sh`, and gives what it printed. Nil: no `sh`.
    static func run(_ command: String, on text: String) throws -> Outcome? {
        var template = Array("/tmp/asof-shell-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw TextFile.Failure(path: "/tmp", code: errno) }
        close(descriptor)
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { unlink(path) }
        try TextFile.write(text, to: path)
        // The names hold no quotes; the command is ours.
        guard let pipe = popen("set -- '\(path)'; \(command)", "re") else { return nil }
        let output = TextFile.readAll(pipe)
        let status = pclose(pipe)
        return Outcome(status: (status >> 8) & 0xFF, output: output)
    }

    static func exists(_ program: String) throws -> Bool { try run("command -v \(program) >/dev/null", on: "")?.status == 0 }
}
