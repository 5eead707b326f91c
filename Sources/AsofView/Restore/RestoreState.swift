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
    /// The tree is whole: what is left is to give it its name.
    package var isWhole = false

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
        self = try JSONText.decode(RestoreState.self, json, name: name)
    }
}
