import AsofCapture
import AsofCore
import AsofFrame
import AsofRepository
import AsofStore
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

/// The one POSIX suite against `record`: what a client sees through the recorder is what it would see on the local disk.
@Suite("Record through the kernel", .serialized, .enabled(if: Mounted.isPossible, "this machine has no usable /dev/fuse"))
struct RecordPosixTests {
    @Test(arguments: [11, 12, 13] as [UInt64])
    func `a recorded directory behaves like the local disk`(seed: UInt64) async throws {
        let folder = try TemporaryDirectory("record-posix")
        for name in ["backing", "repository", "spool"] { try SystemCall.makeDirectory(folder.path(name), mode: 0o755) }
        let store = MemoryStore("memory")
        let repository = try Repository.create(in: store, compression: .standard, key: nil, now: SystemClock.now())
        var limits = CaptureLimits()
        limits.interval = 200_000_000
        umask(0)
        let recorder = try Recorder(
            backing: folder.path("backing"), timeline: try repository.timeline("main"),
            spool: Spool(folder: folder.path("spool")), limits: limits, takeOver: false) { _ in }
        try recorder.begin()
        let mounted = try Mounted(recorder.fileSystem)
        try await onThread(mounted) {
            try PosixSuite.run(subject: mounted.path, model: mounted.model, seed: seed, operations: 2000)
        }
        try await onThread(mounted) { try mounted.unmount() }
        #expect(recorder.stop())
        let head = try #require(try repository.timeline("main").loadHead())
        #expect(head.gaps == [])
        #expect(head.lastExact.rawValue > 100)
    }

    @Test(arguments: PosixScenario.all)
    func `a recorded directory plays the scenario`(scenario: PosixScenario) async throws {
        let folder = try TemporaryDirectory("record-posix")
        for name in ["backing", "repository", "spool"] { try SystemCall.makeDirectory(folder.path(name), mode: 0o755) }
        let repository = try Repository.create(
            in: MemoryStore("memory"), compression: .standard, key: nil, now: SystemClock.now())
        var limits = CaptureLimits()
        limits.interval = 200_000_000
        umask(0)
        let recorder = try Recorder(
            backing: folder.path("backing"), timeline: try repository.timeline("main"),
            spool: Spool(folder: folder.path("spool")), limits: limits, takeOver: false) { _ in }
        try recorder.begin()
        let mounted = try Mounted(recorder.fileSystem)
        try await onThread(mounted) { try scenario.run(in: mounted.path) }
        try await onThread(mounted) { try mounted.unmount() }
        #expect(recorder.stop())
    }
}
