internal import AsofCore
internal import AsofSystem
internal import Glibc

extension PosixScenario {
    static let files: [PosixScenario] = [
        PosixScenario("a file that is unlinked while open goes on") { directory in
            let file = try makeFile(directory + "/f", bytes("before"))
            try SystemCall.unlink(directory + "/f")
            try PosixFailure.expect(ENOENT, "stat of the unlinked name") { () throws(Errno) in
                _ = try SystemCall.status(directory + "/f")
            }
            try PosixFailure.equal(try SystemCall.status(file.raw).attributes.links, 0, "links")
            try SystemCall.writeFully(file.raw, at: 6, bytes(" and after"))
            try SystemCall.truncate(file.raw, to: 12)
            try SystemCall.sync(file.raw)
            try PosixFailure.equal(
                try SystemCall.readFully(file.raw, at: 0, length: 100), bytes("before and a"), "content of the unlinked file")
            let second = try makeFile(directory + "/f", bytes("another"))
            try PosixFailure.equal(try content(directory + "/f"), bytes("another"), "the name's new file")
            try PosixFailure.equal(
                try SystemCall.readFully(file.raw, at: 0, length: 6), bytes("before"), "the old file beside it")
            _ = second
        },
        PosixScenario("a file that is renamed over while open goes on") { directory in
            let old = try makeFile(directory + "/target", bytes("old"))
            let new = try makeFile(directory + "/new", bytes("new"))
            try SystemCall.rename(at: AT_FDCWD, directory + "/new", to: AT_FDCWD, directory + "/target")
            try PosixFailure.equal(try content(directory + "/target"), bytes("new"), "the name")
            try PosixFailure.equal(try SystemCall.readFully(old.raw, at: 0, length: 9), bytes("old"), "the old file")
            try SystemCall.writeFully(new.raw, at: 3, bytes("er"))
            try PosixFailure.equal(try content(directory + "/target"), bytes("newer"), "after a write through the old descriptor")
            try PosixFailure.equal(try SystemCall.status(old.raw).attributes.links, 0, "links of the old file")
        },
        PosixScenario("two appending writers lose nothing") { directory in
            let path = directory + "/log"
            let first = try SystemCall.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o644)
            let other = SharedDescriptor(try SystemCall.open(path, O_WRONLY | O_APPEND))
            let lines = 400
            let thread = try NamedThread("appender") {
                for number in 0..<lines { try? SystemCall.writeFully(other.unmanaged, bytes("b \(number)\n")) }
            }
            for number in 0..<lines { try SystemCall.writeFully(first.raw, bytes("a \(number)\n")) }
            thread.join()
            let found = String(decoding: try content(path), as: UTF8.self).split(separator: "\n").map(String.init)
            for writer in ["a", "b"] {
                try PosixFailure.equal(
                    found.filter { $0.hasPrefix(writer) }, (0..<lines).map { "\(writer) \($0)" }, "lines of writer \(writer)")
            }
        },
        PosixScenario("a write beyond the end leaves zeroes between") { directory in
            let file = try makeFile(directory + "/f", bytes("x"))
            try SystemCall.writeFully(file.raw, at: 1_000_000, bytes("y"))
            try PosixFailure.equal(try SystemCall.status(file.raw).attributes.size, 1_000_001, "size")
            let found = try content(directory + "/f")
            try PosixFailure.check(found[1..<1_000_000].allSatisfy { $0 == 0 }, "the hole is not zero")
            // What a truncation cut off stays away when the file grows again.
            try SystemCall.truncate(file.raw, to: 1)
            try SystemCall.truncate(file.raw, to: 1_000_001)
            try PosixFailure.equal(try SystemCall.readFully(file.raw, at: 1_000_000, length: 1), [0], "the byte that was cut off")
        },
        PosixScenario("O_TRUNC empties, O_EXCL refuses, O_DIRECTORY tells") { directory in
            let path = directory + "/f"
            _ = try makeFile(path, bytes("content"))
            try PosixFailure.expect(EEXIST, "O_EXCL") { () throws(Errno) in
                _ = try SystemCall.open(path, O_RDWR | O_CREAT | O_EXCL, mode: 0o644)
            }
            try PosixFailure.expect(ENOTDIR, "O_DIRECTORY of a file") { () throws(Errno) in
                _ = try SystemCall.open(path, O_RDONLY | O_DIRECTORY)
            }
            try PosixFailure.expect(EISDIR, "a directory for writing") { () throws(Errno) in
                _ = try SystemCall.open(directory, O_WRONLY)
            }
            _ = try SystemCall.open(path, O_RDWR | O_TRUNC)
            try PosixFailure.equal(try SystemCall.status(path).attributes.size, 0, "size after O_TRUNC")
        },
        PosixScenario("fallocate grows, keeps and zeroes as asked") { directory in
            let file = try makeFile(directory + "/f", [UInt8](repeating: 7, count: 20_000))
            try SystemCall.allocate(file.raw, mode: SystemCall.FALLOC_FL_KEEP_SIZE, offset: 0, length: 40_000)
            try PosixFailure.equal(try SystemCall.status(file.raw).attributes.size, 20_000, "size kept")
            try SystemCall.allocate(
                file.raw, mode: SystemCall.FALLOC_FL_PUNCH_HOLE | SystemCall.FALLOC_FL_KEEP_SIZE, offset: 5000, length: 5000)
            var expected = [UInt8](repeating: 7, count: 20_000)
            expected.replaceSubrange(5000..<10_000, with: repeatElement(0, count: 5000))
            try PosixFailure.check(try content(directory + "/f") == expected, "the punched hole is wrong")
            try SystemCall.allocate(file.raw, offset: 0, length: 30_000)
            try PosixFailure.equal(try SystemCall.status(file.raw).attributes.size, 30_000, "size grown")
        },
        PosixScenario("times keep their nanoseconds") { directory in
            let file = try makeFile(directory + "/f", bytes("x"))
            let instant = Instant(seconds: 1_234_567_890, nanoseconds: 123_456_789)
            try SystemCall.setTimes(file.raw, accessed: .unchanged, modified: .instant(instant))
            try PosixFailure.equal(try SystemCall.status(directory + "/f").attributes.modified, instant, "mtime")
            try SystemCall.changeMode(file.raw, 0o600)
            try PosixFailure.equal(try SystemCall.status(file.raw).attributes.modified, instant, "mtime after chmod")
            try SystemCall.writeFully(file.raw, at: 0, bytes("y"))
            try PosixFailure.check(try SystemCall.status(file.raw).attributes.modified > instant, "a write left mtime alone")
        },
        PosixScenario("opening an empty file with O_TRUNC sets its time") { directory in
            let path = directory + "/f"
            let file = try makeFile(path)
            let instant = Instant(seconds: 1_234_567_890)
            try SystemCall.setTimes(file.raw, accessed: .unchanged, modified: .instant(instant))
            _ = try SystemCall.open(path, O_WRONLY | O_TRUNC)
            try PosixFailure.check(try SystemCall.status(path).attributes.modified > instant, "O_TRUNC left mtime alone")
        },
        PosixScenario("statfs is sane") { directory in
            let root = try SystemCall.open(directory, O_RDONLY | O_DIRECTORY)
            let space = try SystemCall.fileSystemStatus(root.raw)
            try PosixFailure.check(space.blockSize >= 512 && space.fragmentSize >= 512, "block size \(space.blockSize)")
            try PosixFailure.check(space.blocks > 0 && space.availableBlocks <= space.blocks, "blocks")
            try PosixFailure.check(space.availableBlocks > 0, "no space is free")
            try PosixFailure.equal(space.longestName, 255, "longest name")
        },
        PosixScenario("fsync and fdatasync of files and directories succeed") { directory in
            let file = try makeFile(directory + "/f", bytes("x"))
            try SystemCall.sync(file.raw)
            try SystemCall.syncData(file.raw)
            let folder = try SystemCall.open(directory, O_RDONLY | O_DIRECTORY)
            try SystemCall.sync(folder.raw)
            try SystemCall.syncData(folder.raw)
        },
    ]
}
