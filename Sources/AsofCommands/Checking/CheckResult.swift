/// One line of `asof check`.
struct CheckResult: Encodable, Equatable {
    enum Verdict: String, Encodable, Comparable {
        case ok, weak, missing

        static func < (left: Verdict, right: Verdict) -> Bool { left.rank < right.rank }
        private var rank: Int { self == .ok ? 0 : self == .weak ? 1 : 2 }
    }

    /// What was looked at.
    var subject: String
    var verdict: Verdict
    var finding: String
    /// What to do; nil: nothing.
    var hint: String?

    static func ok(_ subject: String, _ finding: String) -> CheckResult { CheckResult(subject: subject, verdict: .ok, finding: finding) }
    static func weak(_ subject: String, _ finding: String, hint: String) -> CheckResult {
        CheckResult(subject: subject, verdict: .weak, finding: finding, hint: hint)
    }
    static func missing(_ subject: String, _ finding: String, hint: String) -> CheckResult {
        CheckResult(subject: subject, verdict: .missing, finding: finding, hint: hint)
    }
}
