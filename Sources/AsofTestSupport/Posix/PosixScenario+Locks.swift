internal import AsofCore
internal import AsofSystem
internal import Glibc

extension PosixScenario {
    private static let ofdSetLock: Int32 = 37  // F_OFD_SETLK

    private static func lock(_ file: Int32, _ command: Int32, _ kind: Int32, _ start: Int, _ length: Int) throws(Errno) {
        var region = flock()
        region.l_type = Int16(kind)
        region.l_whence = Int16(SEEK_SET)
        region.l_start = start
        region.l_len = length
        if fcntl(file, command, &region) != 0 { throw Errno(errno) }
    }

    static let locks: [PosixScenario] = [
        PosixScenario("flock keeps a second descriptor out") { directory in
            let first = try makeFile(directory + "/f")
            let second = try SystemCall.open(directory + "/f", O_RDWR)
            try PosixFailure.check(try SystemCall.tryLock(first.raw), "the first lock")
            try PosixFailure.check(!(try SystemCall.tryLock(second.raw)), "a second exclusive lock was given")
            try SystemCall.unlock(first.raw)
            try PosixFailure.check(try SystemCall.tryLock(second.raw, shared: true), "after unlocking")
            try PosixFailure.check(try SystemCall.tryLock(first.raw, shared: true), "two shared locks")
        },
        PosixScenario("flock keeps another process out") { directory in
            let path = directory + "/f"
            let file = try makeFile(path)
            func attempt() throws(Errno) -> ChildProcess.Outcome {
                try ChildProcess.spawn("/usr/bin/flock", arguments: ["flock", "-n", path, "true"]).wait()
            }
            try PosixFailure.check(try SystemCall.tryLock(file.raw), "the lock")
            try PosixFailure.equal(try attempt(), .exited(1), "flock -n of another process")
            try SystemCall.unlock(file.raw)
            try PosixFailure.equal(try attempt(), .exited(0), "flock -n afterwards")
        },
        PosixScenario("fcntl locks ranges") { directory in
            let first = try makeFile(directory + "/f", [UInt8](repeating: 0, count: 100))
            let second = try SystemCall.open(directory + "/f", O_RDWR)
            // The process owns the first, the open file the second: two owners in one process.
            try lock(first.raw, F_SETLK, F_WRLCK, 10, 20)
            try PosixFailure.expect(EAGAIN, "an overlapping range") { () throws(Errno) in
                try lock(second.raw, ofdSetLock, F_WRLCK, 25, 10)
            }
            try lock(second.raw, ofdSetLock, F_WRLCK, 40, 10)
            try lock(first.raw, F_SETLK, F_UNLCK, 0, 0)
            try lock(second.raw, ofdSetLock, F_WRLCK, 25, 10)
        },
    ]
}
