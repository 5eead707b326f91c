package import AsofCore
package import AsofFormat
package import AsofFrame

/// Names of the repository's objects (design §4).
package enum ObjectName {
    package static let configuration = "asof.json"

    package static func head(_ timeline: String) -> String { "timelines/\(timeline)/head.json" }

    package static func segment(_ timeline: String, first: LSN, last: LSN, epoch: UInt64) -> String {
        "timelines/\(timeline)/segments/\(padded(first))-\(padded(last)).\(epoch)"
    }

    /// What the names of all segments begin with whose first transaction is `first`.
    package static func segments(_ timeline: String, from first: LSN) -> String { "timelines/\(timeline)/segments/\(padded(first))-" }

    /// What the names of all segments of a timeline begin with.
    package static func segments(_ timeline: String) -> String { "timelines/\(timeline)/segments/" }

    /// What the name of a segment says; nil: it is no such name.
    package static func segment(_ name: String) -> (first: LSN, epoch: UInt64)? {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == "timelines", parts[2] == "segments" else { return nil }
        let numbers = parts[3].split(omittingEmptySubsequences: false) { $0 == "-" || $0 == "." }
        guard numbers.count == 3, let first = UInt64(numbers[0]), let last = UInt64(numbers[1]), first <= last else { return nil }
        return UInt64(numbers[2]).map { (LSN(first), $0) }
    }

    /// A base carries a piece of its id: two that are made of the same transaction at the same time do not overwrite each other.
    package static func base(_ timeline: String, last: LSN, id: ObjectID) -> String {
        "timelines/\(timeline)/bases/\(padded(last)).\(id.description.prefix(8))"
    }

    package static func of(_ object: ObjectReference) -> String {
        segment(object.timeline, first: object.first, last: object.last, epoch: object.epoch)
    }

    package static let timelineLengthMax = 64

    /// A timeline's name becomes part of paths: letters, digits, `-` and `_`, at most 64.
    package static func isTimeline(_ name: String) -> Bool {
        (1...timelineLengthMax).contains(name.utf8.count)
            && name.utf8.allSatisfy { ($0 >= 0x30 && $0 <= 0x39) || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A) || $0 == 0x2D || $0 == 0x5F }
    }

    /// Zero-padded, so that a listing is in order.
    private static func padded(_ lsn: LSN) -> String {
        let digits = String(lsn.rawValue)
        return String(repeating: "0", count: max(0, 16 - digits.count)) + digits
    }
}
