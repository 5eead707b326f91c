internal import AsofCapture
internal import AsofCommandLine
internal import AsofCore
internal import AsofFrame
internal import AsofRepository
internal import AsofStore
internal import AsofSystem
internal import Glibc

/// What most verbs need first: the repository of the invocation, opened, and the places on this host.
struct Session {
    let repository: Repository
    private(set) var timeline: Timeline
    let stateFolder: String

    init(_ invocation: Invocation, _ access: DirectoryStore.Access = .reading) throws(AsofError) {
        let store = try Self.store(invocation, access)
        repository = try Repository.open(store, key: try Self.key(invocation))
        timeline = try repository.timeline(try invocation.required("timeline"))
        stateFolder = Self.stateFolder(invocation)
    }

    /// The same for another timeline.
    func on(_ timeline: Timeline) -> Session {
        var session = self
        session.timeline = timeline
        return session
    }

    var defaultSpool: Spool { Spool(stateFolder: stateFolder, repository: repository, timeline: timeline.name) }

    /// The capture of this timeline that ran, or runs, on this host last.
    func lastCapture() throws(AsofError) -> LastCapture? {
        try LastCapture.load(stateFolder: stateFolder, repository: repository, timeline: timeline.name)
    }

    func control() throws(AsofError) -> ControlClient {
        ControlClient(spool: try lastCapture().map { Spool(folder: $0.spool) } ?? defaultSpool)
    }

    static func store(_ invocation: Invocation, _ access: DirectoryStore.Access) throws(AsofError) -> any ObjectStore {
        RetryingStore(try location(invocation).open(access), attempts: 3)
    }

    static func location(_ invocation: Invocation) throws(AsofError) -> StoreLocation {
        guard let place = invocation.value("repo") else {
            throw AsofError(.noRepository, "no repository is named", hint: "give --repo DIR, or export ASOF_REPO=DIR for all commands")
        }
        return try StoreLocation(parsing: place)
    }

    /// Nil: none was given.
    static func key(_ invocation: Invocation) throws(AsofError) -> UserKey? {
        if let name = invocation.value("key-env") {
            guard let value = getenv(name) else {
                throw AsofError(.key, "the environment variable \(name) is not set", hint: "export \(name)=<64 hexadecimal digits>")
            }
            return try UserKey.parse(Array(String(cString: value).utf8))
        }
        guard let path = invocation.value("key-file") else { return nil }
        let bytes: [UInt8]
        do throws(Errno) { bytes = try KeySource.read(path) } catch {
            var failure = AsofError(error, "cannot read the key file \(path)")
            failure.code = .key
            throw failure
        }
        do throws(AsofError) { return try UserKey.parse(bytes) } catch { throw error.during("the key file \(path)") }
    }

    static func stateFolder(_ invocation: Invocation) -> String {
        if let given = invocation.value("state-dir") { return absolute(given) }
        if geteuid() == 0 { return "/var/lib/asof" }
        if let state = getenv("XDG_STATE_HOME") { return String(cString: state) + "/asof" }
        return (getenv("HOME").map { String(cString: $0) } ?? "/tmp") + "/.local/state/asof"
    }

    static func absolute(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        guard let folder = WorkingDirectory.path else { return path }
        return folder + "/" + path
    }

    /// The head, and with a capture on this host, everything that was acknowledged before the call in it. `note`: why it is not, for people.
    func headUpToNow() throws(AsofError) -> (head: Head, note: String?) {
        do throws(AsofError) {
            _ = try control().seal()
            return (try timeline.head(), nil)
        } catch {
            return (
                try timeline.head(),
                "the running capture cannot archive now (\(error.message)): what is newer than the repository is not shown"
            )
        }
    }
}

extension CutRequest {
    init(_ target: When.Target) {
        switch target {
        case .instant(let instant): self = .instant(instant)
        case .latest: self = .latest
        case .lsn(let lsn): self = .lsn(lsn)
        }
    }
}
