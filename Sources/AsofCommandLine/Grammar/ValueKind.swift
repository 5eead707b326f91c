internal import AsofCore

/// What a value can be: decides what the parser refuses and what the shell offers.
package enum ValueKind: Sendable {
    /// Anything; `suggestions` are offered by the shell.
    case text(suggestions: [String] = [])
    case file
    case directory
    case choice([String])
    /// Nanoseconds, within the range.
    case duration(ClosedRange<Int64> = 0...Int64.max)
    /// Bytes, within the range.
    case size(ClosedRange<UInt64> = 0...UInt64.max)
    case count(ClosedRange<Int>)
    case time
    case owner

    /// Throws unless `text` is such a value. `subject` names it in the message: `--interval`.
    func check(_ text: String, of subject: String) throws(AsofError) {
        do throws(AsofError) {
            try check(text)
        } catch {
            throw error.during(subject)
        }
    }

    private func check(_ text: String) throws(AsofError) {
        switch self {
        case .text:
            return
        case .file, .directory:
            guard !text.isEmpty else { throw AsofError(.usage, "the path is empty") }
        case .choice(let choices):
            guard choices.contains(text) else {
                throw AsofError(
                    .usage, "\(Printable.quoted(text)) is not one of \(choices.joined(separator: ", "))",
                    hint: Nearest.to(text, among: choices).map { "did you mean \($0)?" })
            }
        case .duration(let range):
            let value = try Quantity.nanoseconds(text)
            guard range.contains(value) else {
                throw Self.outside(
                    text, Quantity.text(nanoseconds: range.lowerBound),
                    range.upperBound == .max ? nil : Quantity.text(nanoseconds: range.upperBound))
            }
        case .size(let range):
            let value = try Quantity.bytes(text)
            guard range.contains(value) else {
                throw Self.outside(
                    text, Quantity.text(bytes: range.lowerBound),
                    range.upperBound == .max ? nil : Quantity.text(bytes: range.upperBound))
            }
        case .count(let range):
            guard let value = Quantity.count(text) else {
                throw AsofError(.usage, "\(Printable.quoted(text)) is not a whole number", hint: "write \(range.lowerBound)")
            }
            guard range.contains(value) else {
                throw Self.outside(text, String(range.lowerBound), range.upperBound == .max ? nil : String(range.upperBound))
            }
        case .time:
            _ = try When.parse(text)
        case .owner:
            _ = try Owner.parse(text)
        }
    }

    private static func outside(_ text: String, _ low: String, _ high: String?) -> AsofError {
        let range = high.map { "between \(low) and \($0)" } ?? "at least \(low)"
        return AsofError(.usage, "\(Printable.quoted(text)) is out of range", hint: "write a value \(range)")
    }
}
