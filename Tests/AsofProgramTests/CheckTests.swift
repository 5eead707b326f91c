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

    @Test func `no quota is no weakness`() {
        #expect(QuotaCheck.judge(nil).verdict == .ok)
        #expect(QuotaCheck.judge(all: []).verdict == .ok)
        #expect(QuotaCheck.judge(all: ["max 100000", "max 100000"]).verdict == .ok)
    }

    @Test func `the tightest quota of the groups above counts`() {
        let found = QuotaCheck.judge(all: ["max 100000", "50000 100000", "20000 100000", "400000 100000"])
        #expect(found.verdict == .weak && found.finding.hasPrefix("20 %"))
        #expect(QuotaCheck.judge(all: ["200000 100000", "max 100000"]).finding == "200 % of a core")
        #expect(QuotaCheck.judge(QuotaCheck.text(quota: "-1\n", period: "100000\n")).verdict == .ok)
        #expect(QuotaCheck.judge(QuotaCheck.text(quota: "30000\n", period: "100000\n")).finding.hasPrefix("30 %"))
    }

    @Test func `who may trace`() {
        func verdict(_ text: String?, _ isCapable: Bool) -> CheckResult.Verdict { TracingCheck.judge(text, isCapable: isCapable).verdict }
        #expect([nil, "0\n", "1\n", "2\n", "3\n", "", "x"].map { verdict($0, true) } == [.ok, .ok, .ok, .ok, .weak, .weak, .weak])
        #expect([nil, "0\n", "1\n", "2\n", "3\n"].map { verdict($0, false) } == [.ok, .ok, .weak, .weak, .weak])
    }

    @Test func `memory that may be locked`() {
        #expect(MachineCheck.lockedMemory(nil, isCapable: false).verdict == .ok)
        #expect(MachineCheck.lockedMemory(8 << 20, isCapable: true).verdict == .ok)
        #expect(MachineCheck.lockedMemory(8 << 20, isCapable: false).verdict == .weak)
        #expect(MachineCheck.lockedMemory(1 << 30, isCapable: false).verdict == .ok)
    }

    @Test func `a directory without a file that Weaviate writes is not taken for one of its`() throws {
        #expect(LayoutCheck.judge(known: 0, unknown: []).verdict == .ok)
        #expect(LayoutCheck.judge(known: 7, unknown: ["note"]).verdict == .ok)
        let directory = try TemporaryDirectory("layout")
        try Durable.makeDirectories(directory.path("data/some/where"))
        try directory.write("data/some/where/photo.jpeg", [1])
        let strange = LayoutCheck.run(directory.path("data"))
        #expect(strange.verdict == .weak && strange.finding.contains("some/where/photo.jpeg"))
        try directory.write("data/schema.db", [1])
        let known = LayoutCheck.run(directory.path("data"))
        #expect(known.verdict == .ok, "\(known)")
    }

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
            #expect(try fixture.run("init").code == 0)
            let inside = try fixture.run("check", "--spool", "data/spool", "data")
            #expect(inside.code == 3 && inside.output.contains("which is captured"), "\(inside)")
        }
    }
}
