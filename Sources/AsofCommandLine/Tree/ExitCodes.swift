internal import AsofCore

/// What the number that a command ends with says.
enum ExitCodes {
    static let codes: [AsofError.Code] = [
        .failure, .incomplete, .noRepository, .locked, .key, .outsideWindow, .inGap, .damaged, .usage, .unavailable, .interrupted, .outputClosed,
    ]

    static let all = of(codes)

    /// The section of a command that can end with these, 0 apart.
    static func of(_ codes: [AsofError.Code]) -> Section {
        Section("Exit codes", terms: [("0", "done")] + codes.map { (String($0.rawValue), meaning($0)) })
    }

    static func meaning(_ code: AsofError.Code) -> String {
        switch code {
        case .failure: "failed, for the reason printed"
        case .incomplete: "incomplete: part of it could not be done or read"
        case .noRepository: "no repository there, or none named"
        case .locked: "locked: somebody else is writing this timeline, or the mount is in use"
        case .key: "the key is missing or wrong"
        case .outsideWindow: "the time is before or after everything recorded; see `asof window`"
        case .inGap: "the time lies in a gap in which nothing was recorded; see `asof window`"
        case .damaged: "the repository is damaged at the object printed"
        case .usage: "the command line is wrong"
        case .unavailable: "a store or disk does not answer now; trying again may help"
        case .interrupted: "interrupted by a signal"
        case .outputClosed: "nobody reads standard output any more (SIGPIPE)"
        }
    }
}
