package import AsofCore

/// Whose the files of a mount appear to be: `--owner`.
package enum Owner: Hashable, Sendable {
    /// Whoever runs the command.
    case caller
    case ids(user: UInt32, group: UInt32)

    /// `me` or `UID:GID`, in numbers: names belong to a machine, and the recorded one may be another.
    package static func parse(_ text: String) throws(AsofError) -> Owner {
        if text == "me" { return .caller }
        let parts = text.utf8.prefix(Quantity.lengthLimit).split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard text.utf8.count < Quantity.lengthLimit, parts.count == 2,
            let user = Quantity.number(parts[0]).flatMap({ UInt32(exactly: $0) }), user != .max,
            let group = Quantity.number(parts[1]).flatMap({ UInt32(exactly: $0) }), group != .max
        else {
            throw AsofError(
                .usage, "\(Printable.quoted(text)) is no owner",
                hint: "write me, or numbers such as 1000:1000 (see `id -u`, `id -g`)")
        }
        return .ids(user: user, group: group)
    }
}
