internal import AsofCommandLine
internal import AsofCore
internal import AsofRepository
internal import AsofSystem
internal import AsofView
internal import Glibc

/// `--in-place`: which directories, and when.
enum RestoreInPlace {
    /// The directory as one spelling.
    static func directory(_ given: String) throws(AsofError) -> String {
        let path: String
        let status: FileStatus
        do throws(Errno) {
            path = try SystemCall.realPath(Session.absolute(given))
            status = try SystemCall.status(path)
        } catch {
            throw AsofError(error, given, hint: "a restore in place is for a directory that is there; --to makes a new one")
        }
        guard status.attributes.isDirectory else { throw AsofError(.failure, "\(path) is not a folder", hint: "name the folder whose contents are to be replaced") }
        guard path != "/" else { throw AsofError(.usage, "/ cannot be restored in place", hint: "restore into a new folder by --to") }
        return path
    }

    /// Throws where entries of the directory cannot be exchanged.
    static func check(_ directory: String) throws(AsofError) {
        let mounts: [String]
        do throws(Errno) { mounts = try DirectoryUsers.mounts(below: directory) } catch { throw AsofError(error, "cannot read /proc/self/mountinfo") }
        if let mount = mounts.first {
            throw AsofError(.failure, "something is mounted at \(mount), in \(directory): that cannot be moved away", hint: "unmount it first")
        }
        try requireMovable(directory)
    }

    /// Throws where this user could begin the exchange, and not finish it: the directory is closed to others meanwhile, which its owner alone may do,
    /// and a folder is moved by who may write to it.
    private static func requireMovable(_ directory: String) throws(AsofError) {
        guard geteuid() != 0 else { return }
        var foreign: String?
        do throws(Errno) {
            let root = SharedDescriptor(try SystemCall.open(directory, O_RDONLY | O_DIRECTORY))
            if try SystemCall.status(root.unmanaged).attributes.owner != geteuid() { foreign = directory }
            let reader = DirectoryReader(root)
            while foreign == nil, let entry = try reader.next() {
                let attributes = try SystemCall.status(at: root.unmanaged, entry.name).attributes
                guard attributes.isDirectory, attributes.owner != geteuid(), !HiddenName.isLeftOut(entry.name), entry.name != RestoreSwap.lostAndFound else { continue }
                if !SystemCall.isWritable(at: root.unmanaged, entry.name) { foreign = "\(directory)/\(entry.name)" }
            }
        } catch {
            throw AsofError(error, "cannot look through \(directory)")
        }
        if let foreign { throw AsofError(.failure, "\(foreign) belongs to another user: it cannot be moved away, or closed to others", hint: "restore as root, or into a new folder by --to") }
    }

    /// Who uses the directory, for people; nil: nobody that we can see.
    static func users(of directory: String) throws(AsofError) -> (text: String?, hidden: Int) {
        let found: DirectoryUsers.Findings
        do throws(Errno) { found = try DirectoryUsers.find(below: directory) } catch { throw AsofError(error, "cannot look through the processes") }
        guard let first = found.processes.first else { return (nil, found.hidden) }
        let others = found.processes.count == 1 ? "" : "; so do \(found.processes.count - 1) other processes: \(found.processes.dropFirst().prefix(5).map { "\(Printable.text($0.name)) (\($0.pid))" }.joined(separator: ", "))"
        return ("\(Printable.text(first.name)) (\(first.pid)) \(Printable.text(first.use))\(others)", found.hidden)
    }

    /// Throws while somebody uses the directory. Returns how many processes cannot be asked.
    @discardableResult
    static func requireUnused(_ directory: String, isBegun: Bool) throws(AsofError) -> Int {
        let (text, hidden) = try users(of: directory)
        guard let text else { return hidden }
        throw AsofError(
            .locked, "\(directory) is in use: \(text)",
            hint: isBegun
                ? "end that (a server, a capture, a shell that stands there), and give the same command again: it finishes what is begun"
                : "end that first: a server, a capture (asof record, asof follow), a shell that stands there")
    }

    /// Exchanges the entries. Returns where the old ones are.
    static func swap(_ plan: RestorePlan, _ folder: RestoreFolder, _ view: View, _ origin: DirectoryOrigin, _ progress: RestoreProgress) throws(AsofError) -> String {
        let kept = try RestoreSwap(folder, view, origin: origin, progress) { () throws(AsofError) in
            // Within the exchange each failure is told with what to do then.
            try requireUnused(plan.target, isBegun: folder.known.swap == nil)
        }.run()
        return "\(kept)/old"
    }
}
