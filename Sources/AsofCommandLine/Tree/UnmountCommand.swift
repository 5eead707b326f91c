internal import AsofCore

enum UnmountCommand {
    static let command = Command(
        "umount",
        aliases: ["unmount"],
        summary: "take a mount away",
        discussion: [
            """
            Unmounts what `asof mount` or `asof record` mounted at MOUNTPOINT and waits until its process has ended. Nothing \
            is lost: changes in a mount with `--overlay` are made durable, and a recording is sealed and published first. While a program has files or its \
            working folder in the mount, it is refused: stop the program, or use `--lazy`.
            """
        ],
        positionals: [Positional("MOUNTPOINT", .directory, help: "The folder that was given to mount or record.")],
        options: [
            .flag("lazy", help: "Take the mount out of sight now, and wait no longer than two seconds; its process ends when the last program lets go of it.")
        ],
        examples: [
            Example("asof umount /mnt/past", "Unmount."),
            Example("fuser -vm /mnt/past", "Who still uses it."),
        ],
        sections: [ExitCodes.of([.failure, .locked, .usage])])
}
