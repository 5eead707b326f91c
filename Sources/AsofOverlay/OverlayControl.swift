package import AsofCore
internal import AsofRepository
internal import AsofSystem
internal import Glibc
internal import Synchronization

/// Answers other commands on this host about a mounted overlay, at `control` in its folder: one line for one line.
///
///     checkpoint → {}: the table holds everything that was done before        freeze → {}: the same, and nothing can be changed any more
///     anything that fails → {"error":…}
package final class OverlayControl: Sendable {
    private struct Answer: Codable { var error: String? }

    private let thread: NamedThread
    private let isStopping = Flag()

    private final class Flag: Sendable {
        private let value = Atomic<Bool>(false)
        var isSet: Bool { value.load(ordering: .relaxed) }
        func set() { value.store(true, ordering: .relaxed) }
    }

    init(_ store: OverlayStore, _ folder: OverlayFolder) throws(AsofError) {
        let isStopping = isStopping
        do throws(Errno) {
            let listener = try UnixListener(path: Self.path(folder.path))
            thread = try NamedThread("asof-control") {
                while !isStopping.isSet {
                    try? listener.serve(until: { isStopping.isSet }) { connection in Self.serve(connection, store) }
                }
            }
        } catch {
            throw AsofError(error, "cannot listen at \(Self.path(folder.path))")
        }
    }

    private static func path(_ folder: String) -> String { "\(folder)/control" }

    func stop() {
        isStopping.set()
        thread.join()
    }

    private static func serve(_ connection: UnixConnection, _ store: OverlayStore) {
        guard let line = try? connection.readLine(timeout: .seconds(5)) else { return }
        var answer = Answer()
        do throws(AsofError) {
            switch line {
            case "checkpoint": try store.checkpoint()
            case "freeze":
                store.freeze()
                try store.checkpoint()
            default: throw AsofError(.usage, "the mount does not know the request \(line)")
            }
        } catch {
            answer.error = error.message
        }
        try? connection.writeLine(String(decoding: (try? JSONText.encode(answer)) ?? [], as: UTF8.self), timeout: .seconds(5))
    }

    // MARK: The other side

    /// Has the table of the mounted overlay in `folder` hold everything that was done before the call.
    package static func checkpoint(_ folder: String) throws(AsofError) { try ask("checkpoint", folder) }

    package static func freeze(_ folder: String) throws(AsofError) { try ask("freeze", folder) }

    /// What to do when nobody serves a mount any more.
    package static func afterDeath(_ mountPoint: String) -> String {
        "`asof umount --lazy \(mountPoint)` takes it away; mounting again with the same --overlay goes on with its changes"
    }

    private static func ask(_ request: String, _ folder: String) throws(AsofError) {
        let line: String?
        do throws(Errno) {
            let connection = try UnixSocket.connect(path: path(folder))
            try connection.writeLine(request, timeout: .seconds(5))
            line = try connection.readLine(timeout: .seconds(600))
        } catch {
            let message = "the mount does not answer at \(path(folder))"
            throw [ECONNREFUSED, ECONNRESET, EPIPE, ENOENT].contains(error.rawValue)
                ? AsofError(.unavailable, "\(message): its server has ended", hint: afterDeath("MOUNTPOINT")) : AsofError(error, message)
        }
        guard let line else { throw AsofError(.unavailable, "the mount does not answer: its server has ended meanwhile", hint: afterDeath("MOUNTPOINT")) }
        if let error = try JSONText.decode(Answer.self, Array(line.utf8), name: "the answer of the mount").error { throw AsofError(.unavailable, error) }
    }
}
