internal import AsofCore
internal import AsofSystem

/// What a mount says of itself, asked of its root.
struct MountedState: Sendable {
    var time: String?
    var lsn: String?

    /// What each of the mount points says; nil where the server does not answer.
    ///
    /// A server that hangs never answers, and a request to it cannot be called back: each mount is asked by a thread of its own, all
    /// at once, and a thread that is not back in time is left behind. The process can end all the same: a request that no server
    /// has taken yet goes with it.
    static func ask(_ mountPoints: [String], within limit: Duration = .seconds(2)) -> [MountedState?] {
        let answers = Monitor([Int: MountedState]())
        for (index, path) in mountPoints.enumerated() {
            let thread = try? NamedThread("asof-ask-mount", stackSize: 256 << 10) {
                let state = MountedState(time: attribute("time", path), lsn: attribute("lsn", path))
                answers.withLock { $0[index] = state }
                answers.broadcast()
            }
            // Too many threads is no word about the mount.
            if thread == nil { answers.withLock { $0[index] = MountedState() } }
        }
        answers.wait(timeout: limit) { $0.count == mountPoints.count }
        return answers.withLock { found in mountPoints.indices.map { found[$0] } }
    }

    private static func attribute(_ name: String, _ path: String) -> String? {
        guard let directory = try? SystemCall.open(path, SystemCall.O_PATH), let key = Name("user.asof.\(name)"),
            let value = try? SystemCall.extendedAttribute(directory.raw, key)
        else { return nil }
        return String(decoding: value, as: UTF8.self)
    }
}
