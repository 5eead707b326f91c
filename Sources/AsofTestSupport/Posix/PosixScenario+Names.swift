internal import AsofCore
internal import AsofSystem
internal import Glibc

extension PosixScenario {
    static let names: [PosixScenario] = [
        PosixScenario("a list goes on while its names are removed") { directory in
            for number in 0..<3000 { _ = try makeFile(directory + "/file-\(number)") }
            guard let stream = opendir(directory) else { throw Errno(errno) }
            defer { closedir(stream) }
            var seen: Set<String> = []
            var removed: Set<String> = []
            while let entry = readdir(stream) {
                let name = withUnsafePointer(to: entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name == "." || name == ".." { continue }
                try PosixFailure.check(seen.insert(name).inserted, "\(name) is listed twice")
                // Half of what was just seen goes, as rm -rf does it, and so do names that were not seen yet.
                if seen.count % 2 == 0 {
                    try SystemCall.unlink(directory + "/" + name)
                    removed.insert(name)
                }
            }
            let left = Set(try TreeSnapshot.names(in: directory))
            try PosixFailure.equal(seen.count, 3000, "names seen")
            try PosixFailure.check(left == seen.subtracting(removed), "what is left is not what was not removed")
        },
        PosixScenario("rm -rf empties a tree") { directory in
            for outer in 0..<5 {
                try SystemCall.makeDirectory(directory + "/d\(outer)", mode: 0o755)
                for inner in 0..<200 { _ = try makeFile(directory + "/d\(outer)/f\(inner)") }
            }
            let child = try ChildProcess.spawn("/bin/rm", arguments: ["rm", "-rf"] + (0..<5).map { "\(directory)/d\($0)" })
            _ = try child.wait()
            try PosixFailure.equal(try TreeSnapshot.names(in: directory), [], "what is left")
        },
        PosixScenario("rename replaces, refuses and exchanges") { directory in
            try SystemCall.makeDirectory(directory + "/full", mode: 0o755)
            _ = try makeFile(directory + "/full/f")
            try SystemCall.makeDirectory(directory + "/empty", mode: 0o755)
            try SystemCall.makeDirectory(directory + "/moved", mode: 0o755)
            _ = try makeFile(directory + "/moved/inside", bytes("inside"))
            _ = try makeFile(directory + "/file", bytes("file"))
            func move(_ from: String, _ to: String, _ flags: SystemCall.RenameFlags = []) throws(Errno) {
                try SystemCall.rename(at: AT_FDCWD, directory + "/" + from, to: AT_FDCWD, directory + "/" + to, flags: flags)
            }
            try PosixFailure.expect(ENOTEMPTY, "over a directory with content") { () throws(Errno) in try move("moved", "full") }
            try PosixFailure.expect(EISDIR, "a file over a directory") { () throws(Errno) in try move("file", "empty") }
            try PosixFailure.expect(ENOTDIR, "a directory over a file") { () throws(Errno) in try move("moved", "file") }
            try PosixFailure.expect(EINVAL, "into itself") { () throws(Errno) in try move("moved", "moved/inside2") }
            try PosixFailure.expect(EEXIST, "RENAME_NOREPLACE") { () throws(Errno) in try move("file", "empty", .noReplace) }
            try PosixFailure.expect(ENOENT, "RENAME_EXCHANGE with nothing") { () throws(Errno) in
                try move("file", "nothing", .exchange)
            }
            try move("moved", "empty")
            try PosixFailure.equal(try content(directory + "/empty/inside"), bytes("inside"), "the moved directory")
            try move("empty", "file", .exchange)
            try PosixFailure.equal(try content(directory + "/empty"), bytes("file"), "the exchanged file")
            try PosixFailure.equal(try content(directory + "/file/inside"), bytes("inside"), "the exchanged directory")
        },
        PosixScenario("a directory's parent follows it") { directory in
            for name in ["a", "b", "a/child"] { try SystemCall.makeDirectory(directory + "/" + name, mode: 0o755) }
            try SystemCall.rename(at: AT_FDCWD, directory + "/a/child", to: AT_FDCWD, directory + "/b/child")
            let expected = try SystemCall.status(directory + "/b").inode
            try PosixFailure.equal(try SystemCall.status(directory + "/b/child/..").inode, expected, "inode of ..")
            try PosixFailure.expect(EEXIST, "mkdir of a name that is there") { () throws(Errno) in
                try SystemCall.makeDirectory(directory + "/b/child", mode: 0o755)
            }
        },
        PosixScenario("names of 255 bytes work, longer ones do not") { directory in
            let longest = String(repeating: "n", count: 255)
            _ = try makeFile(directory + "/" + longest)
            try PosixFailure.equal(try TreeSnapshot.names(in: directory), [longest], "names")
            try PosixFailure.expect(ENAMETOOLONG, "stat of 256 bytes") { () throws(Errno) in
                _ = try SystemCall.status(directory + "/n" + longest)
            }
            try PosixFailure.expect(ENAMETOOLONG, "mkdir of 256 bytes") { () throws(Errno) in
                try SystemCall.makeDirectory(directory + "/n" + longest, mode: 0o755)
            }
        },
        PosixScenario("names may hold any bytes") { directory in
            let odd: [[UInt8]] = [[0xFF, 0xFE], [0x0A], [0x20, 0x22, 0x5C], Array("ü".utf8), [0x01]]
            let root = try SystemCall.open(directory, O_RDONLY | O_DIRECTORY)
            for name in odd {
                let file = try SystemCall.open(at: root.raw, name, O_RDWR | O_CREAT | O_EXCL, mode: 0o644)
                try SystemCall.writeFully(file.raw, at: 0, name)
            }
            for name in odd {
                try PosixFailure.equal(try SystemCall.readAll(at: root.raw, name), name, "content of \(name)")
                try SystemCall.unlink(at: root.raw, name)
            }
        },
        PosixScenario("hard links share one file") { directory in
            let file = try makeFile(directory + "/one", bytes("x"))
            try SystemCall.link(at: AT_FDCWD, directory + "/one", to: AT_FDCWD, directory + "/two")
            let (one, two) = (try SystemCall.status(directory + "/one"), try SystemCall.status(directory + "/two"))
            try PosixFailure.equal(one.inode, two.inode, "inode")
            try PosixFailure.equal(one.attributes.links, 2, "links")
            try SystemCall.writeFully(file.raw, at: 1, bytes("y"))
            try PosixFailure.equal(try content(directory + "/two"), bytes("xy"), "content through the second name")
            try SystemCall.unlink(directory + "/one")
            try PosixFailure.equal(try SystemCall.status(directory + "/two").attributes.links, 1, "links afterwards")
        },
        PosixScenario("a removed directory that is open takes no new names") { directory in
            try SystemCall.makeDirectory(directory + "/d", mode: 0o755)
            let open = try SystemCall.open(directory + "/d", O_RDONLY | O_DIRECTORY)
            try SystemCall.removeDirectory(directory + "/d")
            try PosixFailure.expect(ENOENT, "a new file in it") { () throws(Errno) in
                _ = try SystemCall.open(at: open.raw, "f", O_RDWR | O_CREAT, mode: 0o644)
            }
        },
        PosixScenario("extended attributes are set, replaced and refused") { directory in
            let file = try makeFile(directory + "/f")
            try PosixFailure.expect(ENODATA, "one that is not there") { () throws(Errno) in
                _ = try SystemCall.extendedAttribute(file.raw, "user.a")
            }
            try SystemCall.setExtendedAttribute(file.raw, "user.a", bytes("one"), flags: SystemCall.XATTR_CREATE)
            try PosixFailure.expect(EEXIST, "XATTR_CREATE again") { () throws(Errno) in
                try SystemCall.setExtendedAttribute(file.raw, "user.a", bytes("two"), flags: SystemCall.XATTR_CREATE)
            }
            try SystemCall.setExtendedAttribute(file.raw, "user.a", bytes("longer"), flags: SystemCall.XATTR_REPLACE)
            try SystemCall.setExtendedAttribute(file.raw, "user.empty", [])
            try PosixFailure.equal(try SystemCall.extendedAttribute(file.raw, "user.a"), bytes("longer"), "value")
            let names = try SystemCall.extendedAttributeNames(file.raw).map { String(decoding: $0, as: UTF8.self) }
            try PosixFailure.equal(names.filter { $0.hasPrefix("user.") }.sorted(), ["user.a", "user.empty"], "names")
            try SystemCall.removeExtendedAttribute(file.raw, "user.a")
            try PosixFailure.expect(ENODATA, "after it was removed") { () throws(Errno) in
                try SystemCall.removeExtendedAttribute(file.raw, "user.a")
            }
        },
    ]
}
