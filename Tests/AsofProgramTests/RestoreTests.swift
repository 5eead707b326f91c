import AsofCore
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

extension ProgramTests {
    @Suite(.enabled(if: ProgramFixture.canFollow))
    struct Restoring {
        let fixture: ProgramFixture
        init() throws { fixture = try ProgramFixture() }

        private func restore(_ more: String..., at: String = "latest", to target: String = "out") throws -> ProgramFixture.Outcome {
            switch more.count {
            case 0: try fixture.run("restore", "--at", at, "--to", target)
            case 1: try fixture.run("restore", "--at", at, "--to", target, more[0])
            default: try fixture.run("restore", "--at", at, "--to", target, more[0], more[1])
            }
        }

        private func status(_ name: String) throws -> FileStatus { try SystemCall.status(fixture.folder.path(name), following: false) }

        /// A full disk passes; a file system that has no room for a file's attributes does not.
        @Test func `an attribute that the target cannot hold is named`() throws {
            for name in ["a", "b", "c"] {
                try fixture.folder.write("data/\(name)", [1])
                let file = try SystemCall.open(fixture.folder.path("data/\(name)"), O_RDONLY)
                try SystemCall.setExtendedAttribute(file.raw, "user.long", [UInt8](repeating: 7, count: 3800))
            }
            try fixture.capture()
            let disk = fixture.folder.path("disk")
            try SystemCall.makeDirectory(disk, mode: 0o755)
            // Attributes take the room of inodes there.
            try #require(Glibc.mount("tmpfs", disk, "tmpfs", 0, "size=4m,nr_inodes=16") == 0)
            defer { umount2(disk, Int32(MNT_DETACH)) }
            let refused = try fixture.run("restore", "--at", "latest", "--to", "disk/new")
            #expect(refused.code == 1 && refused.error.contains("does not hold the extended attribute user.long of 3800 bytes on "), "\(refused)")
        }

        @Test func `writes everything that was captured, and what it says is so`() throws {
            let big = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
            try fixture.folder.write("data/big", big)
            try SystemCall.makeDirectory(fixture.folder.path("data/folder"), mode: 0o755)
            try SystemCall.link(at: AT_FDCWD, fixture.folder.path("data/big"), to: AT_FDCWD, fixture.folder.path("data/folder/other"))
            try SystemCall.symbolicLink(target: "big", at: AT_FDCWD, fixture.folder.path("data/symbolic"))
            try SystemCall.makeNode(at: AT_FDCWD, fixture.folder.path("data/pipe"), mode: 0o010640, device: 0)
            let sparse = try SystemCall.open(fixture.folder.path("data/sparse"), O_RDWR | O_CREAT, mode: 0o600)
            try SystemCall.truncate(sparse.raw, to: 12 << 20)
            try SystemCall.writeFully(sparse.raw, at: 6 << 20, [7])
            try SystemCall.changeMode(sparse.raw, 0o6751)
            try sparse.close()
            try SystemCall.changeMode(at: AT_FDCWD, fixture.folder.path("data/folder"), 0o1555)
            try fixture.capture("a")
            let plan = try restore("--validate")
            #expect(plan.code == 0 && plan.lines.last?.hasPrefix("asof restore --at lsn:") == true, "\(plan)")
            #expect(try !fixture.folder.names().contains { $0.hasPrefix("out") && $0 != "output" })
            let done = try restore("--json")
            #expect(done.code == 0 && done.output.contains(#""files":5"#), "\(done)")
            #expect(try fixture.folder.names(in: "out") == ["a", "big", "folder", "pipe", "sparse", "symbolic"])
            #expect(try fixture.folder.read("out/folder/other") == big)
            #expect(try status("out/big").inode == status("out/folder/other").inode)
            for name in ["", "/a", "/big", "/folder", "/pipe", "/sparse", "/symbolic"] {
                var (want, have) = (try status("data\(name)").attributes, try status("out\(name)").attributes)
                want.changed = have.changed
                if want.isDirectory { have.size = want.size }
                #expect(want == have, "\(name)")
            }
            #expect(try status("out/sparse").blocks * 512 < 2 << 20, "holes stay holes")
            #expect(try fixture.folder.read("out/sparse") == fixture.folder.read("data/sparse"))
            #expect(try !fixture.folder.names().contains { $0.contains("restoring") })
        }

        @Test func `refuses what it must not or cannot write to`() throws {
            try fixture.capture("a")
            try SystemCall.makeDirectory(fixture.folder.path("full"), mode: 0o755)
            try fixture.folder.write("full/x", [1])
            for (target, code, words) in [
                ("full", 1, "not empty"), ("full/x", 1, "not a folder"), ("/", 1, "root of a volume"), ("/proc", 1, "root of a volume"),
                ("none/out", 1, "mkdir -p"), ("repo/out", 64, "repository"), ("state/out", 64, "state directory"),
            ] as [(String, Int32, String)] {
                let refused = try restore(to: target)
                #expect(refused.code == code && refused.error.contains(words) && refused.error.contains("hint"), "\(target): \(refused)")
            }
            #expect(try restore(at: "2001-01-01T00:00:00Z").code == 20)
            #expect(try restore(at: "lsn:99999").code == 20)
            #expect(try fixture.run("restore", "--at", "latest").code == 64)
            #expect(try fixture.run("mount", "mnt").code == 0)
            #expect(try restore(to: "mnt/out").code == 64)
            #expect(try fixture.run("umount", "mnt").code == 0)
            let names = try fixture.folder.names(in: "full")
            #expect(names == ["x"])
            #expect(try fixture.run("backup", "restore", "--time", "latest", "--to", "full/new").code == 0)
            #expect(try fixture.folder.read("full/new/a") == [UInt8(ascii: "a")])
        }

        @Test func `takes a file system without a size for what it is`() throws {
            try fixture.capture("a")
            try SystemCall.makeDirectory(fixture.folder.path("memory"), mode: 0o755)
            try #require(Glibc.mount("ramfs", fixture.folder.path("memory"), "ramfs", 0, nil) == 0)
            defer { umount2(fixture.folder.path("memory"), Int32(MNT_DETACH)) }
            #expect(try restore(to: "memory/out").code == 0)
            #expect(try fixture.folder.read("memory/out/a") == Array("a".utf8))
        }

        @Test func `does not make another name of one that is no text`() throws {
            try fixture.capture("a")
            let odd = try fixture.shell("asof restore --repo repo --at latest --to \"$(printf 'odd\\377')\"")
            #expect(odd.code == 64 && odd.error.contains("is not text in UTF-8"), "\(odd)")
            #expect(try !fixture.folder.names().contains { $0.hasPrefix("odd") })
        }

        @Test func `refuses what a recorder would not hear of`() throws {
            try fixture.capture("a")
            let capture = try fixture.start("record", "--state-dir", "other", "--spool", "spool", "--timeline", "live", "data", "mnt")
            for target in ["data/back", "mnt/back"] {
                let refused = try fixture.run("restore", "--at", "latest", "--to", target)
                #expect(refused.code == 64 && refused.error.contains(fixture.folder.path("mnt")), "\(refused)")
            }
            // In place nothing is written before the recorder has ended; until then it can be looked at.
            let looked = try fixture.run("restore", "--at", "latest", "--in-place", "data", "--validate")
            #expect(looked.code == 0 && looked.output.contains("in use"), "\(looked)")
            #expect(try fixture.run("restore", "--at", "latest", "--in-place", "data").error.contains("stop the recorder first"))
            try capture.child.kill(SIGKILL)
            _ = try capture.child.wait()
            let beside = try fixture.run("restore", "--at", "latest", "--to", "data/back")
            #expect(beside.code == 0, "\(beside)")
            let done = try fixture.run("restore", "--at", "latest", "--in-place", "data")
            #expect(done.code == 0, "\(done)")
            #expect(try fixture.run("umount", "--lazy", "mnt").code == 0)
        }

        @Test func `goes on where it was interrupted, and with nothing else`() throws {
            try fixture.capture("a", "b", "c")
            try SystemCall.makeDirectory(fixture.folder.path("out"), mode: 0o755)
            let killed = try fixture.crash("restore.piece.written:2", "restore", "--at", "latest", "--to", "out")
            #expect(killed.code == 128 + SIGKILL, "\(killed)")
            #expect(try fixture.folder.names(in: "out") == [])
            try fixture.folder.write("data/d", [1])
            #expect(try fixture.run("follow", "--once", "--no-stop", "data").code == 0)
            let other = try restore(at: "lsn:\(try newest())")
            #expect(other.code == 1 && other.error.contains("interrupted restore") && other.error.contains("rm -r"), "\(other)")
            // `latest` stays what it was when it was first asked for.
            let done = try restore()
            #expect(done.code == 0 && done.error.contains("goes on"), "\(done)")
            #expect(try fixture.folder.names(in: "out") == ["a", "b", "c"])
            let switched = try fixture.crash("restore.switch.renamed", "restore", "--at", "latest", "--to", "new")
            #expect(switched.code == 128 + SIGKILL)
            #expect(try restore(to: "new").code == 0)
            #expect(try fixture.folder.names(in: "new") == ["a", "b", "c", "d"])
            #expect(try !fixture.folder.names().contains { $0.contains("restoring") })
        }

        @Test func `a restore that is held back notes soon how far it is`() throws {
            var bytes = [UInt8](repeating: 0, count: 1 << 20)
            for number in 0..<12 {
                bytes[number] = 1
                try fixture.folder.write("data/\(number)", bytes)
            }
            try fixture.capture("a")
            let validated = try fixture.run("restore", "--at", "latest", "--to", "out", "--limit", "1MB", "--validate", "--json")
            #expect(validated.output.contains("\"seconds\":12."), "\(validated)")
            #expect(try fixture.crash("restore.batch.noted", "restore", "--at", "latest", "--to", "out", "--limit", "1MB").code == 128 + SIGKILL)
            let begun = try fixture.run("restore", "--at", "latest", "--to", "out", "--validate").output
            #expect(begun.contains("has 4 files, ") || begun.contains("has 5 files, "), "\(begun)")
            #expect(try restore().code == 0)
            #expect(try fixture.folder.names(in: "out").count == 13)
        }

        @Test func `a rate is kept from the beginning, and a stop is heard while it is waited for`() throws {
            // Stored as next to nothing. Two objects: two threads write at once.
            let bytes = [UInt8](repeating: UInt8(ascii: "x"), count: 40_000_000)
            try fixture.folder.write("data/first", bytes)
            try fixture.capture()
            try fixture.folder.write("data/second", bytes)
            try fixture.capture(again: "third")
            let stopped = try fixture.shell("""
                now() { date +%s%N; }
                began=$(now); asof restore --at latest --to out --limit 5MB -q & sleep 2
                du -s -B 1 out.asof-restoring-*/tree | cut -f 1; asked=$(now); echo $((asked - began))
                kill -TERM $!; wait $!; echo $? $(($(now) - asked))
                """)
            let lines = stopped.lines.map { $0.split(separator: " ").compactMap { UInt64($0) } }
            try #require(lines.map(\.count) == [1, 1, 2], "\(stopped)")
            #expect(lines[0][0] < lines[1][0] / 200 + 4_000_000, "\(lines[0][0]) bytes in \(lines[1][0]) ns")
            #expect(lines[2][0] == 130 && lines[2][1] < 2_000_000_000, "\(stopped)")
        }

        private func newest() throws -> String {
            let output = try fixture.run("restore", "--at", "latest", "--to", "elsewhere", "-n", "--json").output
            return String(output.split(separator: #""lsn":""#).last?.prefix { $0 != "\"" } ?? "")
        }

        @Test func `of what is damaged names object and files, and makes nothing`() throws {
            let bytes = (0..<600_000).map { _ in UInt8.random(in: 0...255) }
            try fixture.folder.write("data/wide", bytes)
            try fixture.capture("a")
            let segments = "repo/timelines/main/segments/"
            let segment = segments + (try #require(try fixture.folder.names(in: segments).last))
            let good = try fixture.folder.read(segment)
            var wrong = good
            wrong[300_000] ^= 1
            try fixture.folder.write(segment, wrong)
            let refused = try restore()
            #expect(refused.code == 22 && refused.error.contains("wide") && refused.error.contains("segments/"), "\(refused)")
            #expect(try !fixture.folder.names().contains("out"))
            try fixture.folder.write(segment, Array(good.dropLast(5000)))
            #expect(try restore("--validate").code == 22)
            try fixture.folder.write(segment, good)
            let done = try restore()
            #expect(done.code == 0, "\(done)")
            #expect(try fixture.folder.read("out/wide") == bytes)
        }
    }
}
