@testable import AsofCommands
import AsofSystem
import AsofTestSupport
import Testing

/// What `asof check` makes of what it finds.
@Suite("Check")
struct CheckTests {
    @Test func `capabilities come from the status text, and the vital one decides`() {
        let all = CapabilityCheck.judge(status: "Name:\tx\nCapEff:\t000001ffffffffff\n")
        #expect(all.count == CapabilityCheck.needs.count && all.allSatisfy { $0.verdict == .ok && $0.hint == nil })
        let none = CapabilityCheck.judge(status: "CapEff:\t0000000000000000\n")
        #expect(none.map(\.verdict).max() == .missing && none.allSatisfy { $0.hint != nil })
        #expect(none.filter { $0.verdict == .missing }.map(\.subject) == ["CAP_DAC_READ_SEARCH"])
        let trace = CapabilityCheck.judge(status: "CapEff:\t0000000000080004\n").filter { $0.verdict == .ok }.map(\.subject)
        #expect(trace == ["CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE"])
        for text in ["", "CapEff:", "CapEff:\tgarbage", "CapEff:\tffffffffffffffffffff"] { #expect(CapabilityCheck.judge(status: text).map(\.verdict) == [.weak]) }
    }

    @Test(arguments: [
        ("max 100000\n", CheckResult.Verdict.ok), ("20000 100000", .weak), ("100000 100000", .ok), ("400000 100000", .ok), ("", .weak), ("7", .weak), ("a b", .weak),
        ("1 0", .weak), ("18446744073709551615 1", .ok),
    ])
    func `a quota below a core is weak`(text: String, verdict: CheckResult.Verdict) { #expect(QuotaCheck.judge(text).verdict == verdict) }

    @Test func `no quota is no weakness`() { #expect(QuotaCheck.judge(nil).verdict == .ok) }

    @Test func `watches must be enough for the directories`() {
        #expect(WatchCheck.judge(directories: 10, isLimited: false, watches: 8192, queue: 1 << 20).map(\.verdict) == [.ok])
        #expect(WatchCheck.judge(directories: 9000, isLimited: false, watches: 8192, queue: 16_384).map(\.verdict) == [.missing, .weak])
        #expect(WatchCheck.judge(directories: 9000, isLimited: true, watches: nil, queue: nil).isEmpty)
    }

    @Test func `file systems that others write to, or that are served, are weak`() {
        #expect([0xEF53, 0x5846_5342, 0x9123_683E].allSatisfy { FileSystemCheck.judge(type: $0).verdict == .ok })
        #expect([0x6969, 0xFF53_4D42, 0x6573_5546, 0x794C_7630].allSatisfy { FileSystemCheck.judge(type: $0).verdict == .weak })
    }

    @Test func `the clock`() { #expect([1, 0, -1].map { MachineCheck.clock(isSynchronized: $0).verdict } == [.ok, .weak, .weak]) }
}

extension ProgramTests {
    @Suite struct Check {
        let fixture: ProgramFixture
        init() throws { fixture = try ProgramFixture() }

        @Test func `checks a directory and changes nothing`() throws {
            let (plain, json) = (try fixture.run("check", "data"), try fixture.run("check", "--json", "data"))
            #expect(plain.output.contains("file handles") && json.output.contains("\"checks\""), "\(plain)")
            #expect(plain.code == 0 || plain.code == 3)
            #expect(try fixture.run("check", "no/such").code == 3)
            #expect(try fixture.run("check", "--pid", "none").code == 64)
        }
    }
}
