internal import AsofCore
internal import AsofFileSystem
internal import AsofSystem
internal import Glibc

extension RecordFileSystem {
    /// Has `body`, which is given a mode, make `name` so that it belongs to who asked.
    func make(
        _ name: Name, in directory: RecordedNode, mode: UInt32, for request: Request, _ body: (UInt32) throws(Errno) -> Void
    ) throws(Errno) {
        do throws(Errno) { return try asCaller(request.user, request.group) { () throws(Errno) in try body(mode) } } catch {
            // The kernel has asked the caller's other groups, of which we do not know, and allowed it.
            guard isPrivileged, request.user != 0, error.rawValue == EACCES || error.rawValue == EPERM else { throw error }
        }
        try asCaller(0, request.group) { () throws(Errno) in
            // The group is right from the beginning, and nobody but root is given more for a moment: what runs as its owner comes last.
            let special = mode & 0o6000
            try body(mode & ~0o6000)
            try undoing(name, in: directory) { () throws(Errno) in
                let made = try SystemCall.open(at: directory.raw, name, SystemCall.O_PATH | O_NOFOLLOW)
                try SystemCall.changeOwner(made.raw, owner: request.user, group: nil)
                if special != 0 { try SystemCall.changeMode(made.raw, try SystemCall.status(made.raw).attributes.mode | special) }
            }
        }
    }

    /// Takes back what was just made when it cannot be held: what is there must be in the log.
    func undoing<Value>(_ name: Name, in directory: RecordedNode, _ body: () throws(Errno) -> Value) throws(Errno) -> Value {
        do throws(Errno) { return try body() } catch {
            if (try? SystemCall.unlink(at: directory.raw, name)) == nil { try? SystemCall.removeDirectory(at: directory.raw, name) }
            throw error
        }
    }

    /// Runs `body` so that what it makes belongs to `user` and `group`, with the rights that `user` has.
    private func asCaller(_ user: UInt32, _ group: UInt32, _ body: () throws(Errno) -> Void) throws(Errno) {
        guard isPrivileged, user != 0 || group != 0 else { return try body() }
        defer { try? SystemCall.setThreadOwner(user: 0, group: 0) }
        try SystemCall.setThreadOwner(user: user, group: group)
        try body()
    }
}
