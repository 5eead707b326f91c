/// How times, sizes and durations are written: the same text wherever one is taken.
enum TimesSection {
    static let section = Section(
        "Times (WHEN)",
        introduction: "A time means the last recorded state at or before it. A time without a zone is refused.",
        terms: [
            ("2026-11-23T10:30:00Z", "RFC 3339 with a zone (Z, +01:00) and up to nine digits of fraction"),
            ("@1795429800.25", "seconds since 1970, UTC"),
            ("-10m, 10m ago, 10m-ago", "so long before now; s, m, h, d, also -1h30m"),
            ("latest", "the newest state in the repository"),
            ("lsn:120", "the state after transaction 120"),
        ])

    static let quantities = Section(
        "Durations and sizes",
        terms: [
            ("500ms, 10s, 1m, 1h30m, 7d", "durations: whole numbers with a unit, the largest first"),
            ("4096, 64MiB, 64M, 1GiB", "sizes in bytes, or with a unit of 1024s: K, M, G, T, P and KiB, MiB, ..."),
            ("64MB, 1GB", "sizes with a unit of 1000s: KB, MB, GB, TB, PB"),
        ])
}
