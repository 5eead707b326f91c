internal import AsofCore

enum InitCommand {
    static let command = Command(
        "init",
        summary: "create a repository",
        discussion: [
            """
            Creates an empty repository at `--repo`, or `ASOF_REPO`. A folder that does not exist is created; one that is not \
            empty (`lost+found` apart) is refused, so nothing is ever overwritten.
            """,
            """
            With a key the contents and the names of files are encrypted; without one anybody who can read the repository can \
            read the data. The key cannot be added later, and a lost key is lost data: keep a copy of it elsewhere. The \
            journal of a running capture is plain text on its own host all the same.
            """,
        ],
        options: [
            .value(
                "compression", "METHOD", .text(suggestions: ["zstd:3", "zstd:9", "gzip:6", "none"]), default: .value("zstd:3"),
                help: "How new data is compressed: `zstd:1` to `zstd:22`, `gzip:1` to `gzip:9`, or `none`.")
        ],
        examples: [
            Example("asof init -r /backups/weaviate", "Create a repository, not encrypted."),
            Example("asof init -r /backups/weaviate --key-file /root/asof.key", "Create an encrypted one."),
            Example("asof init -r /backups/weaviate --compression zstd:9", "Smaller and slower to write, as quick to read."),
        ],
        sections: [ExitCodes.of([.failure, .key, .damaged, .usage, .unavailable])])
}
