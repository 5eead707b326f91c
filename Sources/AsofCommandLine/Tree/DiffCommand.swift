internal import AsofCore

enum DiffCommand {
    static let command = Command(
        "diff",
        summary: "list what was changed in a mount",
        discussion: [
            """
            Lists what is different in a mount that can be changed (`asof mount --rw`) from the past below it: `+` added, `-` removed, `>` renamed, \
            `~` other content, `m` other mode, owner, times or extended attributes. Names are compared, not contents: bytes that were written over with \
            the same bytes count as changed.
            """
        ],
        positionals: [Positional("MOUNTPOINT", .directory, help: "The folder that was given to mount.")],
        examples: [
            Example("asof diff /mnt/try", "What a server that was started there did."),
            Example("asof diff --json /mnt/try", "An object a line."),
        ],
        sections: [ExitCodes.of([.failure, .noRepository, .key, .damaged, .usage, .unavailable])])
}
