import AsofCommandLine
import AsofCore
import Testing

@Suite("Quantities")
struct QuantityTests {
    static let durations: [(String, Int64)] = [
        ("10s", 10_000_000_000), ("1m", 60_000_000_000), ("500ms", 500_000_000), ("1h", 3_600_000_000_000),
        ("7d", 604_800_000_000_000), ("1h30m", 5_400_000_000_000), ("1d2h3m4s5ms6us7ns", 93_784_005_006_007), ("0s", 0),
        ("9223372036854775807ns", .max), ("106751d23h47m16s854ms775us807ns", .max),
    ]

    @Test(arguments: durations)
    func `reads durations`(text: String, nanoseconds: Int64) throws {
        #expect(try Quantity.nanoseconds(text) == nanoseconds)
        #expect(try Quantity.nanoseconds(Quantity.text(nanoseconds: nanoseconds)) == nanoseconds)
    }

    @Test(arguments: [
        "", "s", "10", "-10s", "10 s", "1.5s", "10S", "10x", "30m1h", "1m1m", "1ms1ms", "10s ", "10sm", "9223372036854775808ns",
        "106752d", "99999999999999999999999999999999s", "1٣s", "∞",
    ])
    func `refuses what is no duration`(text: String) {
        do throws(AsofError) {
            let value = try Quantity.nanoseconds(text)
            Issue.record("\(text) was read as \(value)")
        } catch {
            #expect(error.code == .usage)
            #expect(error.hint?.contains("write") == true)
        }
    }

    static let sizes: [(String, UInt64)] = [
        ("0", 0), ("4096", 4096), ("4096B", 4096), ("64MiB", 64 << 20), ("64M", 64 << 20), ("64m", 64 << 20), ("64mib", 64 << 20),
        ("64MB", 64_000_000), ("1GiB", 1 << 30), ("1K", 1024), ("1kB", 1000), ("3TiB", 3 << 40), ("1PB", 1_000_000_000_000_000),
        ("16383PiB", 16383 << 50), ("18446744073709551615", .max),
    ]

    @Test(arguments: sizes)
    func `reads sizes`(text: String, bytes: UInt64) throws {
        #expect(try Quantity.bytes(text) == bytes)
        #expect(try Quantity.bytes(Quantity.text(bytes: bytes)) == bytes)
    }

    @Test(arguments: [
        "", "M", "-1", "+1", "1.5G", "64 MiB", "64MiBs", "64X", "0x10", "18446744073709551616", "16384PiB",
        "99999999999999999999P", "1é", "١",
    ])
    func `refuses what is no size`(text: String) {
        do throws(AsofError) {
            let value = try Quantity.bytes(text)
            Issue.record("\(text) was read as \(value)")
        } catch {
            #expect(error.code == .usage)
            #expect(error.hint?.contains("64MiB") == true)
        }
    }

    @Test
    func `refuses ten megabytes of digits`() {
        let digits = String(repeating: "0", count: 10_000_000)
        #expect(throws: AsofError.self) { try Quantity.bytes(digits) }
        #expect(throws: AsofError.self) { try Quantity.nanoseconds(digits + "s") }
        #expect(Quantity.count(digits) == nil)
    }

    @Test
    func `counts are whole and fit`() {
        #expect(Quantity.count("0") == 0)
        #expect(Quantity.count("9223372036854775807") == .max)
        #expect(Quantity.count("9223372036854775808") == nil)
        #expect(Quantity.count("-1") == nil)
        #expect(Quantity.count("") == nil)
        #expect(Quantity.count("1 ") == nil)
    }

    @Test
    func `any amount survives being printed`() throws {
        var random = SeededGenerator(seed: 11)
        for _ in 0..<3000 {
            let duration = Int64.random(in: 0 ... .max, using: &random) >> Int64.random(in: 0...62, using: &random)
            #expect(try Quantity.nanoseconds(Quantity.text(nanoseconds: duration)) == duration, "seed 11: \(duration)")
            let size = UInt64.random(in: 0 ... .max, using: &random) << UInt64.random(in: 0...50, using: &random)
            #expect(try Quantity.bytes(Quantity.text(bytes: size)) == size, "seed 11: \(size)")
        }
        #expect(Quantity.text(nanoseconds: .min) == "-106751d23h47m16s854ms775us808ns")
    }

    @Test
    func `owners are numbers or me`() throws {
        #expect(try Owner.parse("me") == .caller)
        #expect(try Owner.parse("0:0") == .ids(user: 0, group: 0))
        #expect(try Owner.parse("4294967294:1000") == .ids(user: 4_294_967_294, group: 1000))
        // The largest number means "no such user" to the kernel.
        for text in ["", "root", "1", "1:", ":1", "1:2:3", "-1:0", "4294967295:0", "99999999999:0", "a:b"] {
            #expect(throws: AsofError.self, "\(text)") { try Owner.parse(text) }
        }
    }
}
