import AsofCore

/// What every way of capturing takes: when to seal, and what may wait for the repository.
enum CaptureOptions {
    /// The journal takes four files of 8 MiB at rest. From half of the limit on segments are sealed early; with a smaller
    /// limit that would be at every change.
    private static let smallestSpool: UInt64 = 128 << 20

    static let spool = Option.value(
        "spool", "DIR", .directory, default: .described("a folder for this repository under the state directory"),
        help: """
            Where changes wait until the repository has them. While the one used last holds some, another is refused.
            """)

    static let all: [Option] = [
        .value(
            "interval", "DURATION", .duration(100_000_000...86_400_000_000_000), default: .value("10s"),
            help: "Seal and publish at least this often: how much a lost machine can cost."),
        .value(
            "segment-size", "SIZE", .size(65_536...(1 << 34)), default: .value("64MiB"),
            help: "Seal and publish earlier when a segment has grown to this."),
        spool,
        .value(
            "spool-limit", "SIZE", .size(smallestSpool...UInt64.max), default: .value("10GiB"),
            help: "The most the spool may take while the repository does not answer, but for a segment in the making; at least 128MiB, of which the log takes a quarter at rest."),
        .flag("keep-local", help: "Keep published segments in the spool too."),
        .flag(
            "take-over",
            help: """
                Write a timeline whose last writer did not let go of it, once you know that it is dead. Should it live after \
                all, it can publish nothing more. Also begins on another spool than the last one, whatever that one still holds.
                """),
    ]
}
