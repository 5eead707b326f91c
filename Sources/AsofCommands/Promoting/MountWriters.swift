internal import AsofCommandLine
internal import AsofCore
internal import AsofSystem
internal import Glibc

/// What is on its way into a mount that is about to be frozen.
enum MountWriters {
    /// Throws while somebody can still write, as far as we can see; has the kernel write what anybody else left in mapped memory. After the
    /// freeze it would be refused, and nobody told: who wrote to a mapping hears nothing.
    static func settle(_ given: String) throws(AsofError) {
        let path = Session.absolute(given)
        let found: OpenWriters.Findings
        do throws(Errno) { found = try OpenWriters.find(below: path) } catch { throw failure(error, path, "cannot look through the processes") }
        if let writer = found.groups.first?.root {
            let others = found.groups.count == 1 ? "" : ", and \(found.groups.count - 1) other processes with theirs"
            throw AsofError(
                .locked, "\(Printable.text(writer.name)) (\(writer.pid)) has files of \(path) open for writing\(others)",
                hint: "stop it, so that nothing it writes is lost, and give the same command again")
        }
        do throws(Errno) {
            let mount = try SystemCall.open(path, O_RDONLY | O_DIRECTORY)
            try SystemCall.syncFileSystem(mount.raw)
        } catch {
            throw failure(error, path, "cannot write out what is in memory of \(path)")
        }
    }

    private static func failure(_ error: Errno, _ path: String, _ message: String) -> AsofError {
        error.rawValue == ENOTCONN ? MountRegistry.isDead(path) : AsofError(error, message)
    }
}
