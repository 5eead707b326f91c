package import AsofCore
package import AsofFrame
internal import FoundationEssentials

/// What `asof.json` says: written once by `init`, read by every command.
package struct RepositoryConfiguration: Sendable {
    package static let formatVersion = 1
    /// Features that a program must know to read the repository. One it does not know: it refuses.
    package static let knownFeatures: Set<String> = ["aes-256-gcm"]

    package var id: ObjectID
    package var created: Instant
    package var compression: Compression
    package var requiredFeatures: [String]
    package var optionalFeatures: [String]
    /// The data key, wrapped by each of the users' keys. Empty: the repository is not encrypted.
    package var keySlots: [[UInt8]]

    package var isEncrypted: Bool { !keySlots.isEmpty }

    private struct Document: Codable {
        var format: Int
        var id: String
        var created: String
        var compression: String
        var requires: [String]
        var optional: [String]
        var keys: [String]
    }

    package func encode() throws(AsofError) -> [UInt8] {
        let document = Document(
            format: Self.formatVersion, id: id.description, created: created.description, compression: compression.description,
            requires: requiredFeatures, optional: optionalFeatures, keys: keySlots.map(hex))
        return SignedDocument.seal(try JSONText.encode(document), key: nil)
    }

    package init(decoding bytes: [UInt8], name: String) throws(AsofError) {
        let json = try SignedDocument.open(bytes, key: nil, name: name)
        struct Version: Codable { var format: Int }
        let version = try JSONText.decode(Version.self, json, name: name).format
        guard version == Self.formatVersion else {
            throw AsofError(
                .failure, "the repository has format \(version), this program knows format \(Self.formatVersion)",
                hint: "use a newer release of asof")
        }
        let document = try JSONText.decode(Document.self, json, name: name)
        let unknown = document.requires.filter { !Self.knownFeatures.contains($0) }
        guard unknown.isEmpty else {
            throw AsofError(
                .failure, "the repository needs features that this program does not know: \(unknown.joined(separator: ", "))",
                hint: "use a newer release of asof")
        }
        guard document.requires.contains("aes-256-gcm") != document.keys.isEmpty else {
            throw AsofError(.damaged, "\(name) is damaged: it has key slots without encryption, or encryption without a key slot")
        }
        guard let id = ObjectID(hex: document.id), let created = try? Instant(rfc3339: document.created) else {
            throw AsofError(.damaged, "\(name) is damaged: it has no valid id or time")
        }
        var slots: [[UInt8]] = []
        for text in document.keys {
            guard let slot = AsofRepository.bytes(hex: text) else { throw AsofError(.damaged, "\(name) is damaged: a key slot is no hexadecimal text") }
            slots.append(slot)
        }
        self.init(
            id: id, created: created, compression: try Compression.parse(document.compression),
            requiredFeatures: document.requires, optionalFeatures: document.optional, keySlots: slots)
    }

    package init(
        id: ObjectID, created: Instant, compression: Compression, requiredFeatures: [String], optionalFeatures: [String],
        keySlots: [[UInt8]]
    ) {
        self.id = id
        self.created = created
        self.compression = compression
        self.requiredFeatures = requiredFeatures
        self.optionalFeatures = optionalFeatures
        self.keySlots = keySlots
    }
}

/// JSON with sorted keys, so that the same content is the same bytes.
package enum JSONText {
    package static func encode(_ value: some Encodable) throws(AsofError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { return Array(try encoder.encode(value)) } catch { throw AsofError(.failure, "cannot write JSON: \(error)") }
    }

    package static func decode<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8], name: String) throws(AsofError) -> Value {
        do { return try JSONDecoder().decode(type, from: Data(bytes)) } catch {
            throw AsofError(.damaged, "\(name) is damaged: it is not the JSON that belongs there", hint: "restore it from a copy")
        }
    }
}
