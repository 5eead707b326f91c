package import AsofCore
internal import AsofSystem
internal import Glibc

/// Whose changes are in the tree of a promotion's folder: the file `changes`, there before the first one is made. Without any the past alone is
/// in the tree, and any overlay over it may go on with that.
package enum PromotedChanges {
    private static let name = "changes"

    /// The overlay's identity; nil: nobody's are. Empty: nobody says whose.
    package static func owner(in folder: String) throws(AsofError) -> String? {
        do throws(Errno) { return String(decoding: try SystemCall.readAll(path: "\(folder)/\(name)", limit: 4096), as: UTF8.self) } catch {
            guard error.rawValue == ENOENT else { throw AsofError(error, "cannot read \(folder)/\(name)") }
        }
        // An older program began.
        return (try? SystemCall.status("\(folder)/limbo", following: false)) == nil ? nil : ""
    }

    /// Throws where another overlay's are.
    package static func require(_ overlay: String, in folder: String) throws(AsofError) {
        guard let owner = try owner(in: folder), owner != overlay else { return }
        throw AsofError(
            .failure, "\(folder) holds \(owner.isEmpty ? "changes of a mount that is not known" : "the changes of another mount")",
            hint: "remove that folder if nobody needs it, or take another --to")
    }

    /// From now on, durably, the tree is that overlay's.
    static func begin(_ overlay: String, in folder: String) throws(AsofError) {
        try require(overlay, in: folder)
        do throws(Errno) { try Durable.replace(inDirectory: folder, name, Array(overlay.utf8)) } catch {
            throw AsofError(error, "cannot write \(folder)/\(name)")
        }
    }
}
