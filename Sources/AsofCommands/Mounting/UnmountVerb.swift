internal import AsofCommandLine
internal import AsofCore
internal import AsofFuse
internal import AsofSystem
internal import Glibc

enum UnmountVerb {
    private struct Answer: Encodable { var unmounted: String }

    static func run(_ invocation: Invocation) throws(AsofError) {
        let given = Session.absolute(try invocation.argument("MOUNTPOINT"))
        let path = Self.path(given)
        let registry = MountRegistry(stateFolder: Session.stateFolder(invocation))
        let entry = registry.newest(at: path)
        guard MountTable.isOurs(path) else { throw AsofError(.failure, "nothing of asof is mounted at \(path)", hint: "`asof status` lists what is") }
        if invocation.flag("dry-run") { return try DryRun.say("unmount \(path)", with: ["mountPoint": path], invocation) }
        let isLazy = invocation.flag("lazy") || isDead(path)
        var flags = isLazy ? Int32(MNT_DETACH) : 0
        flags |= 8  // UMOUNT_NOFOLLOW
        if umount2(path, flags) != 0 {
            let error = Errno(errno)
            switch error.rawValue {
            case EINVAL, ENOENT: throw AsofError(.failure, "nothing is mounted at \(path)")
            case EBUSY: throw inUse(path)
            case EPERM: try unmountByHelper(path, isLazy)
            default: throw AsofError(error, "cannot unmount \(path)")
            }
        }
        if let entry { try waitForEnd(of: entry, registry, path, isLazy, invocation) }
        if invocation.flag("json") { try Console.json(Answer(unmounted: path)) }
    }

    private static func waitForEnd(
        of entry: MountRegistry.Entry, _ registry: MountRegistry, _ path: String, _ isLazy: Bool, _ invocation: Invocation
    ) throws(AsofError) {
        let wait = Progress({ "waiting for the server of \(path) to end" }, isQuiet: invocation.flag("quiet"))
        defer { wait.end() }
        // Who takes it out of sight only waits for a server that nobody keeps.
        let deadline = SystemClock.monotonicNanoseconds() + (isLazy ? 2_000_000_000 : 90_000_000_000)
        while registry.isAlive(entry), SystemClock.monotonicNanoseconds() < deadline { SystemClock.sleep(.milliseconds(5)) }
        guard registry.isAlive(entry) else { return }
        guard isLazy else {
            throw AsofError(.incomplete, "\(path) is unmounted, but its server (process \(entry.process)) has not ended", hint: "`asof status` says what it waits for")
        }
        if !invocation.flag("quiet") { Console.note("process \(entry.process) ends when nobody uses what was mounted at \(path) any more") }
    }

    /// The mount's path without links. Only what leads there is resolved where it can be: its server may hang, or be dead.
    private static func path(_ given: String) -> String {
        let parts = given.split(separator: "/")
        if let name = parts.last, let folder = try? SystemCall.realPath("/" + parts.dropLast().joined(separator: "/")) {
            let path = folder == "/" ? "/\(name)" : "\(folder)/\(name)"
            if MountTable.isOurs(path) { return path }
        }
        return (try? SystemCall.realPath(given)) ?? given
    }

    private static func isDead(_ path: String) -> Bool {
        do throws(Errno) { _ = try SystemCall.status(path) } catch { return error.rawValue == ENOTCONN }
        return false
    }

    private static func unmountByHelper(_ path: String, _ isLazy: Bool) throws(AsofError) {
        do throws(Errno) {
            let child = try ChildProcess.spawn(
                "/usr/bin/fusermount3", arguments: ["fusermount3", "-u"] + (isLazy ? ["-z"] : []) + ["--", path], environment: nil,
                input: .null, output: .inherited, error: .inherited, descriptors: [], directory: nil, newSession: false)
            if case .exited(0) = try child.wait() { return }
        } catch {
            throw AsofError(error, "cannot run fusermount3")
        }
        // The helper refuses strangers, and what is in use.
        if MountTable.owner(of: path) == geteuid() { throw inUse(path) }
        throw AsofError(.failure, "cannot unmount \(path)", hint: "it belongs to another user")
    }

    private static func inUse(_ path: String) -> AsofError {
        AsofError(.locked, "\(path) is in use", hint: "end the programs that have files open there (`fuser -vm \(path)`), or use --lazy")
    }
}
