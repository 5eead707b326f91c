import AsofCapture
import AsofCore
import AsofFrame
import AsofOverlay
import AsofRepository
import AsofStore
import AsofSystem
import AsofTestSupport
import AsofView
import Glibc
import Testing

/// A plain directory, `sub`, that was captured, and overlays over the view of it.
final class OverlayFixture {
    let folder: TemporaryDirectory
    private let store = MemoryStore("memory")

    /// `fill` makes what is captured, in the directory it is given.
    init(_ fill: (String) throws -> Void = { _ in }) throws {
        folder = try TemporaryDirectory("overlay")
        for name in ["backing", "spool", "model"] { try SystemCall.makeDirectory(folder.path(name), mode: 0o755) }
        try SystemCall.makeDirectory(folder.path("backing/sub"), mode: 0o755)
        umask(0)
        try fill(folder.path("backing/sub"))
        let repository = try Repository.create(in: store, compression: .standard, key: nil, now: SystemClock.now())
        let recorder = try Recorder(
            backing: folder.path("backing"), timeline: try repository.timeline("main"), spool: Spool(folder: folder.path("spool")),
            limits: CaptureLimits(), takeOver: false) { _ in }
        try recorder.begin()
        _ = try recorder.sealNow(timeout: .seconds(30))
        #expect(recorder.stop())
    }

    func view() throws -> View {
        let repository = try Repository.open(store, key: nil)
        let timeline = try repository.timeline("main")
        let head = try timeline.head()
        let reader = ObjectReader(repository: repository)
        return try View(try timeline.resolve(.latest, head: head, reader: reader), of: timeline, head: head, reader: reader)
    }

    /// An overlay, kept below the fixture's folder; nil: one that goes with its mount.
    func overlay(_ name: String?, expectingFailures: Bool = false) throws -> OverlayFileSystem {
        let view = try view()
        let identity = OverlayFolder.Identity(repository: "r", timeline: view.timeline, lsn: view.cut.lsn, time: view.cut.time)
        let place = if let name { try OverlayFolder(folder.path(name), over: identity) } else { try OverlayFolder(temporaryIn: folder.path("temporary"), over: identity) }
        let report: @Sendable (AsofError) -> Void = { if !expectingFailures { Issue.record("\($0)") } }
        return try OverlayFileSystem(OverlayBase(view, owner: nil, report: report), place, report: report)
    }
}
