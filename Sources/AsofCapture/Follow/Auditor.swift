internal import AsofCore
internal import AsofFormat
internal import AsofRepository
internal import AsofSystem
internal import AsofView
internal import Glibc

/// Reads files at rest again, a little all the time, and compares them with the log: the guard against a server that comes to write in a way
/// that its kinds of files do not tell.
///
/// A file counts as at rest when it has in the directory the very attributes that the log has, before and after it was read: times
/// included, which no write leaves as they are. One with other attributes has changed since the state that the log is asked for; when its
/// times say that it had not, nobody heard of the change.
final class Auditor: Sendable {
    /// A file whose bytes are not what the log says.
    struct Finding: Sendable {
        var handle: StableHandle
        var path: String
        /// The log may have been wrong since then.
        var since: CutPoint
    }

    struct Figures: Sendable {
        var files = 0
        var bytes: UInt64 = 0
        var differences = 0
        /// Times that all of the directory was gone through.
        var rounds = 0
    }

    private let session: CaptureSession
    private let limit: RateLimit
    private struct State {
        var findings: [Finding] = []
        var figures = Figures()
        /// When something was found last: the next round asks a log that has its repair.
        var foundAt = Instant.distantPast
    }

    private let state = Lock(State())
    private static let pieceLength = 256 << 10

    /// `rate`: bytes a second.
    init(_ session: CaptureSession, rate: UInt64) {
        self.session = session
        limit = RateLimit(bytesPerSecond: rate)
    }

    var figures: Figures { state.withLock { $0.figures } }

    /// What was found since the last call.
    func takeFindings() -> [Finding] {
        state.withLock { state in
            defer { state.findings = [] }
            return state.findings
        }
    }

    /// Goes round and round until told to stop.
    func run(while isRunning: () -> Bool) {
        while isRunning() {
            do throws(AsofError) {
                let head = session.archiver.head
                if head.first != nil, head.unsettledSince == nil, head.capturedUntil > state.withLock({ $0.foundAt }),
                    let view = try CaptureSession.view(of: session.timeline, head: head, report: session.report) {
                    try lookThrough(view, head, isRunning)
                    state.withLock { $0.figures.rounds += 1 }
                }
            } catch {
                // The store may be away: the sealer says so, and the audit waits.
            }
            for _ in 0..<50 where isRunning() { SystemClock.sleep(.milliseconds(100)) }
        }
    }

    private func lookThrough(_ view: View, _ head: Head, _ isRunning: () -> Bool) throws(AsofError) {
        var stack: [(number: InodeNumber, path: String, descriptor: SharedDescriptor)] = [(.root, "", session.root)]
        while let (number, path, directory) = stack.popLast() {
            for entry in try view.entries(of: number) {
                guard isRunning() else { return }
                guard let logged = try view.attributes(of: entry.inode), logged.isDirectory || logged.isRegular,
                    let descriptor = try? SystemCall.open(
                        at: directory.unmanaged, entry.name, O_NOFOLLOW | O_NONBLOCK | (logged.isDirectory ? SystemCall.O_PATH | O_DIRECTORY : O_RDONLY))
                else { continue }
                let file = SharedDescriptor(descriptor)
                if logged.isDirectory {
                    stack.append((entry.inode, "\(path)\(entry.name)/", file))
                } else if try compare(entry.inode, file, logged, view, until: head.capturedUntil) == false, let handle = try? StableHandle(of: file.unmanaged) {
                    let since = head.segments.last { $0.lastTime < logged.changed }.map { CutPoint(lsn: $0.last, time: $0.lastTime) } ?? head.parent?.point ?? head.first
                    state.withLock { state in
                        state.figures.differences += 1
                        state.foundAt = SystemClock.now().advanced(byNanoseconds: 5_000_000_000)
                        if let since { state.findings.append(Finding(handle: handle, path: "\(path)\(entry.name)", since: since)) }
                    }
                }
            }
        }
    }

    /// Whether the bytes are what the log says; nil: it is not at rest.
    private func compare(_ number: InodeNumber, _ file: SharedDescriptor, _ logged: Attributes, _ view: View, until captured: Instant) throws(AsofError) -> Bool? {
        guard let before = (try? SystemCall.status(file.unmanaged))?.attributes else { return nil }
        guard before == logged else { return before.changed.advanced(byNanoseconds: 2_000_000_000) < captured ? false : nil }
        func isAtRest() -> Bool { (try? SystemCall.status(file.unmanaged))?.attributes == logged }
        var offset: UInt64 = 0
        var then = [UInt8](repeating: 0, count: Self.pieceLength)
        while offset < logged.size {
            let wanted = Int(min(UInt64(Self.pieceLength), logged.size - offset))
            limit.take(wanted)
            guard let now = try? SystemCall.readFully(file.unmanaged, at: offset, length: wanted), now.count == wanted else { return nil }
            let position = offset
            let count = try then.withUnsafeMutableBufferPointer { buffer throws(AsofError) in
                try view.read(number, size: logged.size, offset: position, into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<wanted]))
            }
            state.withLock { $0.figures.bytes += UInt64(wanted) }
            if count != wanted || now[...] != then[..<wanted] { return isAtRest() ? false : nil }
            offset += UInt64(wanted)
        }
        state.withLock { $0.figures.files += 1 }
        return true
    }
}
