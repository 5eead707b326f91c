internal import AsofCore
internal import AsofRepository
internal import AsofSystem
internal import Glibc

/// What a spool remembers of the capture that runs or ran on it last: `life.json`, replaced durably at each step of its life.
///
/// The head in the repository tells it late or never: a capture can die after it took the timeline, or after it found the log exact, and
/// before either was published. Without this file the next life would take its own spool for a stranger's, or exact states for a gap.
struct CaptureLife: Codable, Sendable {
    /// Whose spool it is; nil: an older release wrote it.
    var timeline: String?
    /// The newest epoch that is known to be ours; 0: none yet.
    var epoch: UInt64
    /// As whom the newest epoch was, or was about to be, taken.
    var holder: Holder
    /// The newest comparison that came to its end.
    var settled: Settlement?
    /// Set while a comparison is under way, and after one that was interrupted.
    var unsettled: Unsettled?
    /// Found while sealing: published with the segments, and kept until a head that has them was seen.
    var gaps: [Gap] = []
    /// The capture ended in order, the directory durable behind it.
    var hasEnded = false

    /// From `point` on the log is exact.
    struct Settlement: Codable, Sendable {
        var point: CutPoint
        /// What could not be captured before it.
        var gap: Gap?
    }

    struct Unsettled: Codable, Sendable {
        /// Cuts behind this one are not known to be exact.
        var since: CutPoint
        /// Nanoseconds since 1970; contents of files changed since then are compared whatever their times say: there was a power cut.
        var changedSince: Int64?
        /// Inodes that a change was in flight of when a life ended: their contents are compared, too.
        var inFlight: [UInt64] = []
        /// Why changes that clients saw may be in neither the log nor the directory: a gap is declared even where the two agree.
        var lost: String?
    }

    /// True when a power cut ended it: what was not made durable may be lost, in the directory, too.
    func wasCutOff(boot: String) -> Bool { holder.boot != boot && !hasEnded }

    /// True when the head was left by this spool's own captures and no other has taken the timeline since.
    /// An epoch below ours: somebody put an older copy of the head back. `archived`: the newest epoch in the names of segments behind the head.
    func owns(_ head: Head, archived: UInt64 = 0) -> Bool { archived <= epoch && (head.epoch <= epoch || head.holder == holder) }
}

extension Spool {
    private var lifePath: String { "\(folder)/life.json" }

    /// Nil: no capture ever ran on this spool.
    func loadLife() throws(AsofError) -> CaptureLife? {
        let bytes: [UInt8]
        do throws(Errno) { bytes = try SystemCall.readAll(path: lifePath, limit: 1 << 24) } catch {
            if error.rawValue == ENOENT { return nil }
            throw AsofError(error, "cannot read \(lifePath)")
        }
        return try JSONText.decode(CaptureLife.self, bytes, name: lifePath)
    }

    func save(_ life: CaptureLife) throws(AsofError) {
        let bytes = try JSONText.encode(life)
        do throws(Errno) { try Durable.replace(inDirectory: folder, "life.json", bytes) } catch { throw AsofError(error, "cannot write \(lifePath)") }
    }
}
