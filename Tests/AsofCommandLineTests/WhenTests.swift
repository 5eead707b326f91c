import AsofCommandLine
import AsofCore
import Testing

@Suite("When")
struct WhenTests {
    static let minute: Int64 = 60_000_000_000

    static let readings: [(String, When)] = [
        ("2026-11-23T10:30:00Z", .instant(Instant(seconds: 1_795_429_800))),
        ("2026-11-23T11:30:00.5+01:00", .instant(Instant(seconds: 1_795_429_800, nanoseconds: 500_000_000))),
        ("@0", .instant(Instant(seconds: 0))),
        ("@1795429800", .instant(Instant(seconds: 1_795_429_800))),
        ("@1795429800.25", .instant(Instant(seconds: 1_795_429_800, nanoseconds: 250_000_000))),
        ("@1.000000001", .instant(Instant(nanoseconds: 1_000_000_001))),
        ("@-1.5", .instant(Instant(nanoseconds: -1_500_000_000))),
        ("@-0.5", .instant(Instant(nanoseconds: -500_000_000))),
        ("@9223372036.854775807", .instant(.distantFuture)),
        ("@-9223372036.854775808", .instant(.distantPast)),
        ("-10m", .relative(nanosecondsBefore: 10 * minute)),
        ("10m ago", .relative(nanosecondsBefore: 10 * minute)),
        ("10m-ago", .relative(nanosecondsBefore: 10 * minute)),
        ("-1h30m", .relative(nanosecondsBefore: 90 * minute)),
        ("2d ago", .relative(nanosecondsBefore: 2 * 1440 * minute)),
        ("-0s", .relative(nanosecondsBefore: 0)),
        ("-1h30m5s", .relative(nanosecondsBefore: 90 * minute + 5_000_000_000)),
        ("latest", .latest),
        ("LATEST", .latest),
        ("lsn:0", .lsn(.zero)),
        ("lsn:120", .lsn(LSN(120))),
        ("LSN:18446744073709551615", .lsn(LSN(.max))),
    ]

    @Test(arguments: readings)
    func `reads every form`(text: String, when: When) throws {
        #expect(try When.parse(text) == when)
        #expect(try When.parse(when.description) == when)
    }

    /// What is refused, and a piece of the hint.
    static let refusals: [(String, String)] = [
        ("2026-11-23T10:30:00", "write 2026-11-23T10:30:00Z (UTC) or 2026-11-23T10:30:00+01:00"),
        ("2026-11-23T10:30:00.5", "write 2026-11-23T10:30:00.5Z (UTC)"),
        ("2026-11-23 10:30:00", "write 2026-11-23 10:30:00Z (UTC)"),
        ("2026-11-23T10:30Z", "write 2026-11-23T10:30:00Z"),
        ("2026-11-23T10:30", "write 2026-11-23T10:30:00Z"),
        ("2026-11-23", "write 2026-11-23T00:00:00Z"),
        ("2026-11-23Z", "write 2026-11-23T00:00:00Z"),
        ("2026-11-23T10:30:00 UTC", "write 2026-11-23T10:30:00Z"),
        ("2026-11-23T10:30:00+0100", "write 2026-11-23T10:30:00+01:00"),
        ("2026-11-23T10:30:00+01", "write 2026-11-23T10:30:00+01:00"),
        ("2026-11-23 10:30:00 -0530", "write 2026-11-23 10:30:00-05:30"),
        ("2026-11-23T10:30+01:00", "write 2026-11-23T10:30:00+01:00"),
        ("2026-02-30T10:30:00Z", "check the day and the hour"),
        ("9999-01-01T00:00:00Z", "1677 to 2262"),
        ("now", "write latest"),
        ("120", "write lsn:120 (a transaction) or @120 (Unix time)"),
        ("10m", "write -10m or 10m ago"),
        ("10 ago", "units are s, m, h and d"),
        ("-10", "units are s, m, h and d"),
        ("-", "a distance from now"),
        ("--10m", "a distance from now"),
        ("-10M", "a distance from now"),
        ("-30m1h", "a distance from now"),
        ("-10m ago", "a distance from now"),
        (" ago", "a distance from now"),
        ("-9223372037s", "1677"),
        ("-99999999999999999999999999999d", "1677"),
        ("lsn:", "write for example lsn:120"),
        ("lsn:-1", "write for example lsn:120"),
        ("lsn:18446744073709551616", "write for example lsn:120"),
        ("lsn: 5", "write for example lsn:120"),
        ("@", "write seconds since 1970"),
        ("@.5", "write seconds since 1970"),
        ("@1.", "write seconds since 1970"),
        ("@1.0000000001", "write seconds since 1970"),
        ("@1e9", "write seconds since 1970"),
        ("@--1", "write seconds since 1970"),
        ("@1795429800000", "are these milliseconds?"),
        ("@99999999999999999999999999", "are these milliseconds?"),
        ("@9223372036.854775808", "1677 to 2262"),
        ("", "write 2026-11-23T10:30:00Z, -10m"),
        ("yesterday", "write 2026-11-23T10:30:00Z, -10m"),
        ("１０m ago", "a distance from now"),
        ("\u{1B}[31m", "write 2026-11-23T10:30:00Z, -10m"),
        ("–10m", "write 2026-11-23T10:30:00Z, -10m"),
    ]

    @Test(arguments: refusals)
    func `refuses with what to write instead`(text: String, hint: String) throws {
        do throws(AsofError) {
            let when = try When.parse(text)
            Issue.record("\(text) was read as \(when)")
        } catch {
            #expect(error.code == .usage)
            #expect(error.hint?.contains(hint) == true, "\(error)")
            #expect(!error.description.unicodeScalars.contains("\u{1B}"))
        }
    }

    @Test
    func `what a hint says to write is accepted`() throws {
        for (text, hint) in Self.refusals where hint.hasPrefix("write 2026-11-23T") || hint.hasPrefix("write 2026-11-23 ") {
            let better = hint.dropFirst(6).prefix { $0 != "(" && $0 != "," }
            let trimmed = better.last == " " ? better.dropLast() : better
            #expect(throws: Never.self, "\(text)") { try When.parse(String(trimmed)) }
        }
    }

    @Test
    func `refuses ten megabytes at once`() {
        for text in ["@", "-", "lsn:", "", "2026-11-23T10:30:00."] {
            #expect(throws: AsofError.self) { try When.parse(text + String(repeating: "9", count: 10_000_000)) }
        }
        #expect(throws: AsofError.self) { try When.parse(String(repeating: "\u{1F600}", count: 2_500_000)) }
    }

    @Test
    func `a distance is counted from now`() {
        let now = Instant(seconds: 1_795_429_800)
        #expect(When.relative(nanosecondsBefore: Self.minute).resolve(now: now) == .instant(Instant(seconds: 1_795_429_740)))
        #expect(When.relative(nanosecondsBefore: .max).resolve(now: Instant(seconds: -5)) == .instant(.distantPast))
        #expect(When.relative(nanosecondsBefore: .min).resolve(now: now) == .instant(.distantFuture))
        #expect(When.latest.resolve(now: now) == .latest)
        #expect(When.lsn(LSN(3)).resolve(now: now) == .lsn(LSN(3)))
        #expect(When.instant(.distantPast).resolve(now: now) == .instant(.distantPast))
    }

    @Test(arguments: [1, 2] as [UInt64])
    func `any value survives being printed`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<3000 {
            let when: When =
                switch Int.random(in: 0..<3, using: &random) {
                case 0: .instant(Instant(nanoseconds: .random(in: .min ... .max, using: &random)))
                case 1: .relative(nanosecondsBefore: .random(in: 0 ... .max, using: &random))
                default: .lsn(LSN(.random(in: 0 ... .max, using: &random)))
                }
            #expect(try When.parse(when.description) == when, "seed \(seed): \(when)")
        }
    }

    @Test(arguments: [1, 2] as [UInt64])
    func `any text is read or refused`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let pieces = [
            "-", "10", "m", "h", " ago", "@", ".", "lsn:", "Z", "T", ":", "2026-11-23", "10:30:00", "+01", "é", "\u{0}", "0", " ",
        ]
        for _ in 0..<5000 {
            let text = (0..<Int.random(in: 0...6, using: &random)).map { _ in
                pieces[.random(in: 0..<pieces.count, using: &random)]
            }.joined()
            guard let when = try? When.parse(text) else { continue }
            #expect((try? When.parse(when.description)) == when, "seed \(seed): \(text)")
        }
    }
}
