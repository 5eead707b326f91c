package import AsofCore
internal import AsofRepository
internal import AsofSystem

/// What a restore that was interrupted needs to know to go on: the file `state` beside the tree.
package struct RestoreState: Hashable, Sendable, Codable {
    package var format = 1
    /// Whose state is restored.
    package var repository: String
    package var timeline: String
    package var lsn: UInt64
    /// WHEN, as it was asked for: `-10m` means the same cut when the command is given again.
    package var asked: String
    /// What is there and durable.
    package var done = RestorePosition()
    package var files: UInt64 = 0
    package var bytes: UInt64 = 0
    /// Files, folders and links that lack their owner, or an extended attribute that only root may set.
    package var incomplete: UInt64?
    /// The tree is whole: what is left is to give it its name.
    package var isWhole = false
    /// What the tree gets when it has its name; nil: it has its mode already.
    package var rootMode: UInt32?
    /// In place: how far the exchange of entries is; nil: not begun.
    package var swap: Swap?

    /// The steps of an exchange, each begun when the one before is durable.
    package struct Swap: Hashable, Sendable, Codable {
        package enum Stage: String, Hashable, Sendable, Codable {
            /// The old entries go, into `old` beside this file.
            case leaving
            /// The old ones are gone, the new ones come.
            case entering
            /// Everything is in its place; the directory gets its attributes.
            case dressing
        }

        package var stage = Stage.leaving
        /// What the hidden folder is called afterwards, while it holds the old entries.
        package var kept: String
        /// That of the directory before, for `old`.
        package var oldMode: UInt32?
        /// The entry of this stage whose mode would keep it from being moved, and that mode: opened for the move, closed again after it.
        package var opened: Opened?
    }

    package struct Opened: Hashable, Sendable, Codable {
        package var name: [UInt8]
        package var mode: UInt32
    }

    /// What is asked for by a promotion; no WHEN.
    package static let askedByPromotion = "promote"
    var isPromotion: Bool { asked == Self.askedByPromotion }

    package init(repository: String, timeline: String, lsn: LSN, asked: String) {
        self.repository = repository
        self.timeline = timeline
        self.lsn = lsn.rawValue
        self.asked = asked
    }

    static let fileName = "state"

    func encode() throws(AsofError) -> [UInt8] { SignedDocument.seal(try JSONText.encode(self), key: nil) }

    init(decoding bytes: [UInt8], name: String) throws(AsofError) {
        let json = try SignedDocument.open(bytes, key: nil, name: name)
        struct Version: Codable { var format: Int }
        let version = try JSONText.decode(Version.self, json, name: name).format
        guard version == 1 else {
            throw AsofError(.failure, "\(name) has format \(version), this program knows format 1", hint: "go on with the release that began it, or remove the folder")
        }
        let found = try JSONText.decode(RestoreState.self, json, name: name)
        if let kept = found.swap?.kept, !kept.hasPrefix(HiddenName.replaced) || kept.utf8.contains(0x2F) || kept.utf8.contains(0) {
            throw AsofError(.damaged, "\(name) is damaged: where it would keep the old entries is no name for that")
        }
        if let opened = found.swap?.opened, Name(opened.name) == nil { throw AsofError(.damaged, "\(name) is damaged: what it opened has no name") }
        self = found
    }
}
