import AsofCore
import Testing

@Suite("Instant")
struct InstantTests {
    /// Text, seconds since 1970, nanoseconds within the second; seconds from GNU date.
    static let vectors: [(String, Int64, Int64)] = [
        ("1970-01-01T00:00:00Z", 0, 0),
        ("1969-12-31T23:59:59Z", -1, 0),
        ("1969-12-31T23:59:59.999999999Z", -1, 999_999_999),
        ("2000-02-29T12:00:00Z", 951_825_600, 0),  // a leap year although a century
        ("1900-03-01T00:00:00Z", -2_203_891_200, 0),  // no leap year
        ("2024-02-29T00:00:00Z", 1_709_164_800, 0),
        ("2026-11-23T10:30:00Z", 1_795_429_800, 0),
        ("2038-01-19T03:14:08Z", 2_147_483_648, 0),  // past 32 bits
        ("2100-02-28T23:59:59Z", 4_107_542_399, 0),
        ("2262-04-11T23:47:16.854775807Z", 9_223_372_036, 854_775_807),  // the last
        ("1677-09-21T00:12:43.145224192Z", -9_223_372_037, 145_224_192),  // the first
        ("1677-09-21T00:12:44Z", -9_223_372_036, 0),
    ]

    @Test(arguments: vectors)
    func `prints and parses known moments`(text: String, seconds: Int64, subsecond: Int64) throws {
        let instant = try Instant(rfc3339: text)
        #expect(instant.seconds == seconds)
        #expect(instant.subsecond == subsecond)
        #expect(instant.description == text)
        #expect(Instant(seconds: seconds, nanoseconds: subsecond) == instant)
    }

    /// Texts that mean the moment in the second column.
    static let spellings: [(String, String)] = [
        ("2026-11-23T11:30:00+01:00", "2026-11-23T10:30:00Z"),
        ("2026-11-23T00:15:00-10:15", "2026-11-23T10:30:00Z"),
        ("2026-11-24T00:29:00+13:59", "2026-11-23T10:30:00Z"),
        ("2026-11-23T10:30:00-00:00", "2026-11-23T10:30:00Z"),
        ("2026-11-23 10:30:00Z", "2026-11-23T10:30:00Z"),
        ("2026-11-23t10:30:00z", "2026-11-23T10:30:00Z"),
        ("2026-11-23T10:30:00.100000000Z", "2026-11-23T10:30:00.1Z"),
        ("2026-11-23T10:30:00.000000001Z", "2026-11-23T10:30:00.000000001Z"),
        ("2024-12-31T23:59:59+23:59", "2024-12-31T00:00:59Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),  // a leap second
        ("2262-04-12T00:47:16.854775807+01:00", "2262-04-11T23:47:16.854775807Z"),
    ]

    @Test(arguments: spellings)
    func `reads offsets, fractions and lower case`(text: String, canonical: String) throws {
        #expect(try Instant(rfc3339: text).description == canonical)
    }

    static let refusals: [(String, Instant.ParseFailure)] = [
        ("2026-11-23T10:30:00", .missingZone),
        ("2026-11-23T10:30:00.5", .missingZone),
        ("", .malformed),
        ("2026-11-23", .malformed),
        ("2026-11-23T10:30Z", .malformed),
        ("2026-11-23T10:30:00ZZ", .malformed),
        ("2026-11-23T10:30:00 +01:00", .malformed),
        ("2026-11-23T10:30:00+0100", .malformed),
        ("2026-11-23T10:30:00.Z", .malformed),
        ("2026-11-23T10:30:00.1234567890Z", .malformed),
        ("+026-11-23T10:30:00Z", .malformed),
        ("２０２６-11-23T10:30:00Z", .malformed),
        ("2026-11-23T10:30:00\u{0}Z", .malformed),
        ("2026-00-23T10:30:00Z", .outOfRange),
        ("2026-13-23T10:30:00Z", .outOfRange),
        ("2026-11-31T10:30:00Z", .outOfRange),
        ("2026-11-00T10:30:00Z", .outOfRange),
        ("2023-02-29T10:30:00Z", .outOfRange),
        ("1900-02-29T10:30:00Z", .outOfRange),
        ("2026-11-23T24:00:00Z", .outOfRange),
        ("2026-11-23T10:60:00Z", .outOfRange),
        ("2026-11-23T10:30:61Z", .outOfRange),
        ("2026-11-23T10:30:00+24:00", .outOfRange),
        ("2026-11-23T10:30:00+01:60", .outOfRange),
        ("0000-01-01T00:00:00Z", .outOfRange),
        ("9999-12-31T23:59:59Z", .outOfRange),
        ("2262-04-11T23:47:16.854775808Z", .outOfRange),
        ("1677-09-21T00:12:43.145224191Z", .outOfRange),
    ]

    @Test(arguments: refusals)
    func `refuses what is no moment`(text: String, failure: Instant.ParseFailure) {
        #expect(throws: failure) { try Instant(rfc3339: text) }
    }

    @Test
    func `refuses a text of ten megabytes`() {
        let text = "2026-11-23T10:30:00." + String(repeating: "9", count: 10_000_000) + "Z"
        #expect(throws: Instant.ParseFailure.malformed) { try Instant(rfc3339: text) }
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `every moment survives being printed`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<5000 {
            // Wide and narrow moments alike: of the whole range, about 1970, of whole seconds, at the ends.
            let moment: Int64 =
                switch Int.random(in: 0..<5, using: &random) {
                case 0: .random(in: .min ... .max, using: &random)
                case 1: .random(in: -200_000_000_000_000...200_000_000_000_000, using: &random)
                case 2: .random(in: -9_223_372_036...9_223_372_036, using: &random) * 1_000_000_000
                case 3: .max - .random(in: 0...2_000_000_000, using: &random)
                default: .min + .random(in: 0...2_000_000_000, using: &random)
                }
            let instant = Instant(nanoseconds: moment)
            let text = instant.description
            #expect(try Instant(rfc3339: text) == instant, "seed \(seed), moment \(moment), printed as \(text)")
            #expect(
                Instant(seconds: instant.seconds, nanoseconds: instant.subsecond) == instant, "seed \(seed), moment \(moment)")
            #expect(instant.secondsDescription == text.prefix(19) + "Z", "seed \(seed), moment \(moment)")
        }
    }

    @Test
    func `text orders as moments do`() throws {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<5000 {
            let left = Instant(seconds: .random(in: -9_000_000_000...9_000_000_000, using: &random))
            let right = Instant(seconds: .random(in: -9_000_000_000...9_000_000_000, using: &random))
            #expect((left < right) == (left.description < right.description), "seed 7: \(left), \(right)")
        }
    }

    @Test(arguments: [4, 5] as [UInt64])
    func `any bytes give a moment or an error`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let model = Array("2026-11-23T10:30:00.123456789+01:00".utf8)
        for _ in 0..<5000 {
            var bytes = model
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            bytes.removeLast(.random(in: 0...bytes.count, using: &random))
            guard let instant = try? Instant(rfc3339: String(decoding: bytes, as: UTF8.self)) else { continue }
            #expect((try? Instant(rfc3339: instant.description)) == instant, "seed \(seed), bytes \(bytes)")
        }
    }

    @Test
    func `arithmetic saturates`() {
        #expect(Instant.distantFuture.advanced(byNanoseconds: 1) == .distantFuture)
        #expect(Instant.distantPast.advanced(byNanoseconds: -1) == .distantPast)
        #expect(Instant.distantFuture.nanoseconds(since: .distantPast) == .max)
        #expect(Instant.distantPast.nanoseconds(since: .distantFuture) == .min)
        #expect(Instant(seconds: .max) == .distantFuture)
        #expect(Instant(seconds: .min, nanoseconds: .max) == .distantPast)
        #expect(Instant(seconds: .max, nanoseconds: .min) == .distantFuture)
        #expect(Instant(seconds: 9_223_372_037, nanoseconds: -145_224_193) == .distantFuture)
        #expect(Instant(exactlySeconds: 9_223_372_036, nanoseconds: 854_775_808) == nil)
        #expect(Instant(seconds: 10, nanoseconds: -1).nanoseconds == 9_999_999_999)
    }
}
