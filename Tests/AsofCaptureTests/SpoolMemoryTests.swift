@testable import AsofCapture
import AsofCore
import AsofFileSystem
import AsofFrame
import AsofRepository
import AsofStore
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

/// Which spool a capture used last, and what waits there.
@Suite("The last capture's spool")
struct SpoolMemoryTests {
    let folder: TemporaryDirectory
    let repository: Repository

    init() throws {
        folder = try TemporaryDirectory("spool-memory")
        try SystemCall.makeDirectory(folder.path("backing"), mode: 0o755)
        try folder.write("backing/a", [1])
        repository = try Repository.create(in: MemoryStore("memory"), compression: .standard, key: nil, now: SystemClock.now())
    }

    private var spool: Spool { Spool(folder: folder.path("spool")) }
    private var backing: String { folder.path("backing") }
    private func timeline() throws -> Timeline { try repository.timeline("main") }

    private func recorder() throws -> Recorder {
        try Recorder(backing: backing, timeline: try timeline(), spool: spool, limits: CaptureLimits(), takeOver: false) { _ in }
    }

    /// A life that logs a file and can seal nothing of it. Returns the head before.
    private func liveWithoutSealing() throws -> Head {
        let recorder = try recorder()
        try recorder.begin()
        let before = try recorder.sealNow(timeout: .seconds(20))
        // As on a full disk.
        try SystemCall.rename(at: AT_FDCWD, folder.path("spool/segments"), to: AT_FDCWD, folder.path("spool/away"))
        let (node, handle) = try recorder.fileSystem.create(try #require(Name("b")), in: 1, mode: 0o644, flags: O_RDWR, .init())
        recorder.fileSystem.close(node.id, handle: handle)
        #expect(!recorder.stop())
        try SystemCall.rename(at: AT_FDCWD, folder.path("spool/away"), to: AT_FDCWD, folder.path("spool/segments"))
        return before
    }

    @Test func `is remembered by repository and timeline, and found by the repository's name`() throws {
        let state = folder.path("state")
        func load(_ timeline: String) throws -> LastCapture? {
            try LastCapture.load(stateFolder: state, repository: repository, timeline: timeline)
        }
        #expect(try load("main") == nil)
        #expect(LastCapture.all(stateFolder: state, repository: "/r", timeline: "main") == [])
        let (first, second) = (LastCapture(repository: "/r", spool: "/one"), LastCapture(repository: "/r", spool: "/two"))
        for last in [second, first] { try last.save(stateFolder: state, repository: repository, timeline: "main") }
        try second.save(stateFolder: state, repository: repository, timeline: "other")
        #expect(try load("main") == first && load("other") == second)
        #expect(LastCapture.all(stateFolder: state, repository: "/r", timeline: "main") == [first])
        #expect(LastCapture.all(stateFolder: state, repository: "/s", timeline: "main") == [])
    }

    @Test func `a damaged memory is an error that says what to do`() throws {
        let path = "state/\(repository.id)"
        try Durable.makeDirectories(folder.path(path))
        for damaged in ["", "{", #"{"spool":3}"#, "[]"] {
            try folder.write("\(path)/main.capture", Array(damaged.utf8))
            let found = #expect(throws: AsofError.self) {
                try LastCapture.load(stateFolder: folder.path("state"), repository: repository, timeline: "main")
            }
            #expect(found?.code == .damaged && found?.hint?.contains("--spool") == true)
            #expect(LastCapture.all(stateFolder: folder.path("state"), repository: "/r", timeline: "main") == [])
        }
    }

    @Test func `after an orderly end nothing waits; while one runs, nobody may look`() throws {
        do {
            let recorder = try recorder()
            try recorder.begin()
            _ = try recorder.sealNow(timeout: .seconds(20))
            let busy = #expect(throws: AsofError.self) { try spool.unarchived(try timeline().head(), backing: backing) }
            #expect(busy?.code == .locked)
            #expect(recorder.stop())
        }
        #expect(try spool.unarchived(try timeline().head(), backing: backing) == nil)
    }

    @Test func `what was sealed or only logged waits, until the repository has it or another capture took over`() throws {
        let before = try liveWithoutSealing()
        var head = try timeline().head()
        #expect(head.last == before.last)
        #expect(try spool.unarchived(head, backing: backing) == head.last.next)
        try folder.write("spool/segments/segment-\(head.last.next)-\(head.last.next.next).1", [0])
        #expect(try spool.unarchived(head, backing: backing) == head.last.next.next)
        // Somebody else's epoch.
        head.epoch += 1
        head.holder = nil
        #expect(try spool.unarchived(head, backing: backing) == nil)
    }

    @Test func `a spool that is not there is no matter only when its capture ended in order`() throws {
        var head = Head()
        #expect(try spool.unarchived(head, backing: backing) == nil)
        head.holder = try .current()
        let found = #expect(throws: AsofError.self) { try spool.unarchived(head, backing: backing) }
        #expect(found?.message.contains("not there") == true)
    }
}
