import AsofCore
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

/// What the suites run on.
enum WatchVariant: CaseIterable {
    case fanotify
    /// As on kernels before 5.17.
    case oldFanotify
    case inotify

    var kind: WatchKind { self == .inotify ? .inotify : .fanotify }
    var isFanotify: Bool { kind == .fanotify }
}

/// A temporary directory with a watch of one kind. Cancels the test, saying so, where that kind is not permitted.
final class WatchedTree {
    let temporary: TemporaryDirectory
    let root: OwnedDescriptor
    let kind: WatchVariant
    let watch: any TreeWatch
    /// What the client knows to be in the tree: other tests work on the same file system, and their events are none of ours.
    let knownFiles = Lock<Set<StableHandle>>([])
    let knownDirectories = Lock<Set<StableHandle>>([])
    private var nextToken: UInt64 = 100

    init(_ kind: WatchVariant) throws {
        self.kind = kind
        temporary = try TemporaryDirectory("watch")
        root = try temporary.open()
        switch kind {
        case .fanotify, .oldFanotify:
            let (files, directories) = (knownFiles, knownDirectories)
            watch = try Self.fanotify(
                on: root.raw, kind == .fanotify ? nil : .names,
                .init(
                    files: .matching { handle in files.withLock { $0.contains(handle) } },
                    directories: .matching { handle in directories.withLock { $0.contains(handle) } }))
        case .inotify:
            watch = try InotifyWatch()
        }
    }

    private static func fanotify(
        on root: Int32, _ reports: FanotifyWatch.Reports?, _ unregistered: FanotifyWatch.Unregistered
    ) throws -> FanotifyWatch {
        let failure: WatchFailure
        do throws(WatchFailure) {
            return try FanotifyWatch(fileSystemOf: root, unregistered: unregistered, reports: reports)
        } catch {
            failure = error
        }
        // Printed too: a cancelled case of a test with arguments leaves no trace in the report.
        let words = "SKIPPED, nothing is proved about fanotify here: \(failure)"
        print(words)
        try Test.cancel("\(words)")
    }

    func path(_ name: String) -> String { temporary.path(name) }

    func handle(_ name: String) throws -> StableHandle {
        let file = try SystemCall.open(path(name), SystemCall.O_PATH | O_NOFOLLOW)
        return try StableHandle(of: file.raw)
    }

    func newToken() -> WatchToken {
        nextToken += 1
        return WatchToken(nextToken)
    }

    /// Registers a directory by an `O_PATH` descriptor.
    func add(_ folder: String = ".") throws -> WatchToken {
        let token = newToken()
        try add(folder, token: token)
        return token
    }

    func add(_ folder: String, token: WatchToken) throws {
        let directory = try SystemCall.open(path(folder), SystemCall.O_PATH | O_DIRECTORY)
        try watch.add(directory.raw, token: token)
    }

    /// A new, registered directory.
    func makeFolder(_ folder: String) throws -> WatchToken {
        try SystemCall.makeDirectory(path(folder), mode: 0o700)
        return try add(folder)
    }

    func drain() -> Dirty {
        var dirty = Dirty()
        watch.drain(into: &dirty)
        return dirty
    }

    /// Drops what setting up has caused.
    func settle() { _ = drain() }

    func write(_ name: String, _ text: String = "text") throws { try temporary.write(name, Array(text.utf8)) }

    func rename(_ from: String, _ to: String, flags: SystemCall.RenameFlags = []) throws {
        try SystemCall.rename(at: root.raw, from, to: root.raw, to, flags: flags)
    }
}

extension Dirty {
    /// Names that are noted for `token`, as text, sorted.
    func names(_ token: WatchToken) -> [String] { (self[token].map { $0.names.union($0.touched) } ?? []).map(\.description).sorted() }
}
