/// What an operator hears of something that fails and is tried again: a line when it begins, one a minute while it lasts, one when it is
/// over. Pure; times are monotonic nanoseconds.
struct TroubleNotes {
    private static let minute: UInt64 = 60_000_000_000

    /// What fails: `the repository cannot be written`.
    private let subject: String
    /// What is said once that is over.
    private let relief: String
    private var began: UInt64?
    private var isTold = false
    private var lastLine: UInt64?

    init(_ subject: String, relief: String) {
        self.subject = subject
        self.relief = relief
    }

    /// The line for one more failure; nil: nothing is said now.
    mutating func failed(_ reason: String, at now: UInt64) -> String? {
        let start = began ?? now
        began = start
        // A trouble that comes and goes is not told more often than one that stays.
        if let lastLine, now &- lastLine < Self.minute { return nil }
        lastLine = now
        defer { isTold = true }
        return isTold ? "\(subject), for \(Self.seconds(now &- start)) now: \(reason)" : "\(subject): \(reason). It is tried again until it can; changes wait in the spool"
    }

    /// The line for a success; nil: nobody was told that anything failed.
    mutating func succeeded(at now: UInt64) -> String? {
        guard let start = began else { return nil }
        defer { (began, isTold) = (nil, false) }
        guard isTold else { return nil }
        lastLine = now
        return "\(relief), after \(Self.seconds(now &- start))"
    }

    private static func seconds(_ nanoseconds: UInt64) -> String { "\(nanoseconds / 1_000_000_000) s" }
}
