package import AsofCore
internal import AsofFormat
internal import AsofFrame
internal import AsofSystem
internal import Glibc

/// Of which state a directory was made, or in which timeline it is captured: `user.asof.origin` on its root, one line of JSON.
package struct DirectoryOrigin: Hashable, Sendable, Codable {
    /// The repository's id.
    package var repository: String
    package var timeline: String
    package var lsn: UInt64
    package var time: String
    /// True: the directory is what is captured in the timeline, which left its parent at `lsn`. Absent: it was restored from that state.
    package var captured: Bool?

    package init(repository: Repository, timeline: String, _ point: CutPoint, isCaptured: Bool = false) {
        self.repository = repository.id.description
        self.timeline = timeline
        lsn = point.lsn.rawValue
        time = point.time.description
        captured = isCaptured ? true : nil
    }

    package var isCaptured: Bool { captured ?? false }

    package static let attribute = "user.asof.origin"

    package func encode() throws(AsofError) -> [UInt8] { try JSONText.encode(self) }

    package init(decoding bytes: [UInt8], name: String) throws(AsofError) {
        let found = try JSONText.decode(DirectoryOrigin.self, bytes, name: name)
        guard ObjectName.isTimeline(found.timeline), found.lsn >= 1 else { throw AsofError(.damaged, "\(name) is damaged: it names no state") }
        self = found
    }

    // MARK: On a directory

    /// Nil: it has none.
    package static func read(_ path: String) throws(AsofError) -> DirectoryOrigin? {
        let bytes: [UInt8]
        do throws(Errno) {
            let directory = try SystemCall.open(path, O_RDONLY | O_DIRECTORY)
            bytes = try SystemCall.extendedAttribute(directory.raw, attribute)
        } catch {
            if error.rawValue == ENODATA || error.rawValue == EOPNOTSUPP { return nil }
            throw AsofError(error, "cannot read \(attribute) of \(path)")
        }
        do throws(AsofError) { return try DirectoryOrigin(decoding: bytes, name: "\(attribute) of \(path)") } catch {
            throw AsofError(error.code, error.message, hint: "remove it (setfattr -x \(attribute) \(path)): the directory then counts as one that was never restored")
        }
    }

    /// Leaves it on a directory, durably.
    package func write(to path: String) throws(AsofError) {
        let bytes = try encode()
        do throws(Errno) {
            let directory = try SystemCall.open(path, O_RDONLY | O_DIRECTORY)
            try SystemCall.setExtendedAttribute(directory.raw, Self.attribute, bytes)
            try SystemCall.sync(directory.raw)
        } catch {
            throw AsofError(error, "cannot write \(Self.attribute) of \(path)")
        }
    }

    /// Leaves it on a directory that is made durable later. False: its file system keeps no such attributes.
    package func leave(on descriptor: Int32) throws(AsofError) -> Bool {
        let bytes = try encode()
        do throws(Errno) { try SystemCall.setExtendedAttribute(descriptor, Self.attribute, bytes) } catch {
            if error.rawValue == EOPNOTSUPP { return false }
            throw AsofError(error, "cannot write \(Self.attribute)")
        }
        return true
    }
}

extension Timeline {
    /// What a directory that is restored from a cut remembers: whose transaction that is, or this timeline, where it left its parent there and
    /// has nothing of its own yet.
    package func origin(of cut: Cut, head: Head) throws(AsofError) -> DirectoryOrigin {
        let isOwn = head.isUntouchedBranch && head.parent?.lsn == cut.lsn
        let name = isOwn ? self.name : try owner(of: cut.lsn, head: head).timeline.name
        return DirectoryOrigin(repository: repository, timeline: name, CutPoint(lsn: cut.lsn, time: cut.time))
    }
}
