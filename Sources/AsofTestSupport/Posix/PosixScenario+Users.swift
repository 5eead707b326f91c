internal import AsofCore
internal import AsofSystem
internal import Glibc

extension PosixScenario {
    /// Runs `body` on a thread whose file-system calls are those of another user, without root's privileges. `group`: one that the user is in, too.
    private static func asUser(_ user: UInt32, group other: UInt32? = nil, _ body: @escaping @Sendable () throws -> Void) throws {
        let failure = Lock<(any Error)?>(nil)
        let thread = try NamedThread("other-user") {
            do {
                if let other { try SystemCall.setThreadGroups([other]) }
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
        PosixScenario("who may write through another group makes what is theirs", needsOtherUsers: true) { directory in
            for (mode, group) in [(0o775, 1000), (0o2775, 77)] as [(UInt32, UInt32)] {
                let shared = directory + "/shared\(group)"
                try SystemCall.makeDirectory(shared, mode: 0o755)
                try SystemCall.changeOwner(at: AT_FDCWD, shared, owner: 0, group: 77)
                try SystemCall.changeMode(at: AT_FDCWD, shared, mode)
                try asUser(1000, group: 77) {
                    let file = try SystemCall.open(shared + "/file", O_RDWR | O_CREAT | O_EXCL, mode: 0o640)
                    try SystemCall.writeFully(file.raw, at: 0, bytes("x"))
                    _ = try SystemCall.open(shared + "/special", O_RDWR | O_CREAT | O_EXCL, mode: 0o6755)
                    try SystemCall.makeDirectory(shared + "/folder", mode: 0o750)
                    try SystemCall.symbolicLink(target: "file", at: AT_FDCWD, shared + "/link")
                    try SystemCall.makeNode(at: AT_FDCWD, shared + "/pipe", mode: UInt32(S_IFIFO) | 0o4640, device: 0)
                }
                let wanted: [(String, UInt32)] = [
                    ("file", 0o640), ("special", 0o6755), ("folder", 0o750 | mode & 0o2000), ("link", 0o777), ("pipe", 0o4640),
                ]
                for (name, bits) in wanted {
                    let made = try SystemCall.status(shared + "/" + name, following: false).attributes
                    try PosixFailure.equal([made.owner, made.group, made.mode & 0o7777], [1000, group, bits], "owner, group and mode of \(name) in \(shared)")
                }
                try asUser(1000, group: 78) {
                    try PosixFailure.expect(EACCES, "create without the group") { () throws(Errno) in
                        _ = try SystemCall.open(shared + "/other", O_RDWR | O_CREAT, mode: 0o644)
                    }
                }
            }
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
