package import AsofCore
package import AsofRepository
internal import AsofSystem
internal import Glibc

/// What the state directory remembers of the capture of a timeline that ran on this host last: `<repository id>/<timeline>.capture`.
///
/// A spool can be anywhere (`--spool`). Without this, other commands would not find it, and the next capture could begin on an empty one
/// while transactions wait in it.
package struct LastCapture: Codable, Hashable, Sendable {
    /// Where the repository is, as the capture was told: finds the capture when the repository does not answer.
    package var repository: String
    /// The spool's folder.
    package var spool: String

    package init(repository: String, spool: String) {
        self.repository = repository
        self.spool = spool
    }

    /// Nil: none ever ran here, as far as this user may know.
    package static func load(stateFolder: String, repository: Repository, timeline: String) throws(AsofError) -> LastCapture? {
        try load("\(stateFolder)/\(repository.id)/\(name(timeline))")
    }

    /// The captures of timelines of this name, of all repositories that were named like this.
    package static func all(stateFolder: String, repository: String, timeline: String) -> [LastCapture] {
        guard let reader = try? DirectoryReader(stateFolder) else { return [] }
        var found: [LastCapture] = []
        while let folder = try? reader.next() {
            if let last = try? load("\(stateFolder)/\(folder.name)/\(name(timeline))"), last.repository == repository { found.append(last) }
        }
        return found
    }

    /// Names of the timelines of the repositories that were named like this of which a capture ran here.
    package static func timelines(stateFolder: String, repository: String) -> [String] {
        guard let folders = try? DirectoryReader(stateFolder) else { return [] }
        var found: Set<String> = []
        while let folder = try? folders.next() {
            guard let files = try? DirectoryReader("\(stateFolder)/\(folder.name)") else { continue }
            while let file = try? files.next() {
                let name = file.name.description
                guard name.hasSuffix(suffix), let last = try? load("\(stateFolder)/\(folder.name)/\(name)"), last.repository == repository else { continue }
                found.insert(String(name.dropLast(suffix.count)))
            }
        }
        return found.sorted()
    }

    package func save(stateFolder: String, repository: Repository, timeline: String) throws(AsofError) {
        let (folder, bytes) = ("\(stateFolder)/\(repository.id)", try JSONText.encode(self))
        do throws(Errno) {
            try Durable.makeDirectories(folder)
            try Durable.replace(inDirectory: folder, Self.name(timeline), bytes)
        } catch {
            throw AsofError(error, "cannot write \(folder)/\(Self.name(timeline))")
        }
    }

    /// No timeline's name has a dot.
    private static let suffix = ".capture"
    private static func name(_ timeline: String) -> String { timeline + suffix }

    private static func load(_ path: String) throws(AsofError) -> LastCapture? {
        let bytes: [UInt8]
        do throws(Errno) { bytes = try SystemCall.readAll(path: path, limit: 1 << 16) } catch {
            if [ENOENT, ENOTDIR, EACCES].contains(error.rawValue) { return nil }
            throw AsofError(error, "cannot read \(path)")
        }
        do throws(AsofError) { return try JSONText.decode(LastCapture.self, bytes, name: path) } catch {
            throw AsofError(.damaged, error.message, hint: "remove it; it only says which spool the last capture used: name that with --spool")
        }
    }
}
