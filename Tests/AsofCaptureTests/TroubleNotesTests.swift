@testable import AsofCapture
import Testing

@Suite("What an operator hears of trouble")
struct TroubleNotesTests {
    private let second: UInt64 = 1_000_000_000
    private func notes() -> TroubleNotes { TroubleNotes("the store is away", relief: "the store is back") }

    @Test func `a line when it begins, one a minute, one when it is over`() {
        var notes = notes()
        let lines = (0...150).compactMap { notes.failed("because \($0)", at: 1000 * second + $0 * second) }
        #expect(lines.count == 3)
        #expect(lines[0].hasPrefix("the store is away: because 0"))
        #expect(lines[1] == "the store is away, for 60 s now: because 60" && lines[2] == "the store is away, for 120 s now: because 120")
        #expect(notes.succeeded(at: 1151 * second) == "the store is back, after 151 s")
        #expect(notes.succeeded(at: 1152 * second) == nil)
    }

    @Test func `without trouble nothing`() {
        var notes = notes()
        #expect(notes.succeeded(at: 5) == nil)
    }

    @Test func `what comes and goes is not told more often than what stays`() {
        var notes = notes()
        var lines: [String] = []
        for time in stride(from: 0 as UInt64, to: 600, by: 4) {
            lines += [notes.failed("x", at: time * second), notes.succeeded(at: (time + 2) * second)].compactMap { $0 }
        }
        #expect(lines.count <= 20)
        // Nobody hears of the end of what they never heard of.
        #expect(zip(lines, lines.dropFirst()).allSatisfy { $0.hasPrefix("the store is back") != $1.hasPrefix("the store is back") })
    }
}
