internal import AsofCore
internal import AsofSystem
internal import Glibc

extension PosixScenario {
    /// Runs `body` on a thread whose file-system calls are those of another user, without root's privileges.
    private static func asUser(_ user: UInt32, _ body: @escaping @Sendable () throws -> Void) throws {
        let failure = Lock<(any Error)?>(nil)
        let thread = try NamedThread("other-user") {
            do {
                try SystemCall.setThreadOwner(user: user, group: user)
                try body()
            } catch {
                failure.withLock { $0 = error }
            }
        }
        thread.join()
        if let failure = failure.withLock({ $0 }) { throw failure }
    }

    static let users: [PosixScenario] = [
        PosixScenario("a write by another user clears set-user-id bits", needsOtherUsers: true) { directory in
            let path = directory + "/f"
            let file = try makeFile(path, bytes("x"))
            func mode() throws(Errno) -> String { String(try SystemCall.status(path).attributes.mode & 0o7777, radix: 8) }
            try SystemCall.changeMode(file.raw, 0o6777)
            try SystemCall.writeFully(file.raw, at: 0, bytes("root"))
            try PosixFailure.equal(try mode(), "6777", "mode after a write by root")

            try asUser(1000) {
                let file = try SystemCall.open(path, O_WRONLY)
                try SystemCall.writeFully(file.raw, at: 0, bytes("user"))
            }
            try PosixFailure.equal(try mode(), "777", "mode after a write by a user")

            try SystemCall.changeMode(file.raw, 0o6777)
            try asUser(1000) { if Glibc.truncate(path, 1) != 0 { throw Errno(errno) } }
            try PosixFailure.equal(try mode(), "777", "mode after a truncation by a user")

            try SystemCall.changeMode(file.raw, 0o6777)
            try asUser(1000) { _ = try SystemCall.open(path, O_WRONLY | O_TRUNC) }
            try PosixFailure.equal(try mode(), "777", "mode after O_TRUNC by a user")

            try SystemCall.changeMode(file.raw, 0o6777)
            try asUser(1000) {
                let file = try SystemCall.open(path, O_WRONLY)
                try SystemCall.allocate(file.raw, offset: 0, length: 5000)
            }
            try PosixFailure.equal(try mode(), "777", "mode after fallocate by a user")

            // Set-group-id without execution by the group means something else, and stays for members of the group.
            try SystemCall.changeMode(file.raw, 0o6777)
            try SystemCall.changeOwner(file.raw, owner: 1000, group: 1000)
            try PosixFailure.equal(try mode(), "777", "mode after chown")
        },
        PosixScenario("permissions keep other users out", needsOtherUsers: true) { directory in
            try SystemCall.changeMode(at: AT_FDCWD, directory, 0o755)
            let file = try makeFile(directory + "/secret", bytes("x"))
            try SystemCall.changeMode(file.raw, 0o600)
            try asUser(1000) {
                try PosixFailure.expect(EACCES, "open") { () throws(Errno) in
                    _ = try SystemCall.open(directory + "/secret", O_RDONLY)
                }
                try PosixFailure.expect(EACCES, "create") { () throws(Errno) in
                    _ = try SystemCall.open(directory + "/new", O_RDWR | O_CREAT, mode: 0o644)
                }
                try PosixFailure.expect(EPERM, "chmod") { () throws(Errno) in
                    try SystemCall.changeMode(at: AT_FDCWD, directory + "/secret", 0o777)
                }
            }
            try SystemCall.makeDirectory(directory + "/theirs", mode: 0o755)
            try SystemCall.changeOwner(at: AT_FDCWD, directory + "/theirs", owner: 1000, group: 1000)
            try asUser(1000) { _ = try SystemCall.open(directory + "/theirs/f", O_RDWR | O_CREAT, mode: 0o644) }
            let made = try SystemCall.status(directory + "/theirs/f").attributes
            try PosixFailure.equal([made.owner, made.group], [1000, 1000], "owner of what the user made")
        },
        PosixScenario("a set-group-id directory hands its group down", needsOtherUsers: true) { directory in
            try SystemCall.makeDirectory(directory + "/d", mode: 0o755)
            try SystemCall.changeOwner(at: AT_FDCWD, directory + "/d", owner: nil, group: 77)
            try SystemCall.changeMode(at: AT_FDCWD, directory + "/d", 0o2755)
            _ = try makeFile(directory + "/d/f")
            try SystemCall.makeDirectory(directory + "/d/sub", mode: 0o755)
            try PosixFailure.equal(try SystemCall.status(directory + "/d/f").attributes.group, 77, "group of the file")
            let sub = try SystemCall.status(directory + "/d/sub").attributes
            try PosixFailure.equal(sub.group, 77, "group of the directory")
            try PosixFailure.check(sub.mode & 0o2000 != 0, "the directory does not hand it on")
        },
    ]
}
