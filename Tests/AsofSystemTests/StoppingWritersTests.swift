import AsofCore
@testable import AsofSystem
import AsofTestSupport
import Glibc
import Testing

extension StoppingSuite {
    @Suite("Who has files open for writing", .serialized)
    struct StoppingWritersTests {
        @Test func `a process is found by what it has open for writing and mapped, and by nothing else`() throws {
            let server = try StoppingServer()
            let path = server.directory.path
            try Durable.makeDirectories(path + "/inner")
            try Durable.makeDirectories(path + "-next")
            defer { try? SystemCall.removeDirectory(path + "-next") }
            let findings = try OpenWriters.find(below: path)
            try #require(findings.groups.count == 1)
            let process = findings.groups[0].root
            #expect(process.pid == server.child.pid)
            #expect(process.name == "busy-server")
            // The page and the log.
            #expect(process.files == 2)
            #expect(process.mappedFiles == 1)
            #expect(findings.groups[0].descendants.isEmpty)
            // Neither a directory beside it with a name that begins alike, nor one below without writers.
            #expect(try OpenWriters.find(below: path + "-next").groups.isEmpty)
            #expect(try OpenWriters.find(below: path + "/inner").groups.isEmpty)
            #expect(throws: Errno(ENOENT)) { _ = try OpenWriters.find(below: path + "/absent") }
            // By another name of it.
            try SystemCall.symbolicLink(target: path, at: AT_FDCWD, path + "/link")
            #expect(try OpenWriters.find(below: path + "/link").groups.count == 1)
        }

        @Test func `readers, ourselves and other kinds of file do not count; strangers are groups of their own`() throws {
            let directory = try TemporaryDirectory("writers")
            let ours = try SystemCall.open(directory.path("ours"), O_RDWR | O_CREAT, mode: 0o600)
            func shell(_ script: String) throws -> ChildProcess {
                try ChildProcess.spawn("/bin/sh", arguments: ["sh", "-c", script + "; echo > ready-$$; exec sleep 100"], directory: directory.path)
            }
            let reader = try shell("exec 4< ours")
            let pipe = try shell("mkfifo pipe; exec 4<> pipe")
            let first = try shell("exec 4> a")
            let second = try shell("exec 4> 'b c'; exec 5>> a; rm 'b c'")
            defer {
                for child in [reader, pipe, first, second] {
                    try? child.kill(SIGKILL)
                    _ = try? child.wait()
                }
            }
            let deadline = ContinuousClock.now + .seconds(10)
            while try directory.names().count(where: { $0.hasPrefix("ready") }) < 4, ContinuousClock.now < deadline {
                SystemClock.sleep(.milliseconds(5))
            }
            let groups = try OpenWriters.find(below: directory.path).groups
            #expect(groups.map(\.root.pid) == [first.pid, second.pid].sorted())
            #expect(groups.first { $0.root.pid == second.pid }?.root.files == 2)
            withExtendedLifetime(ours) {}
        }

        @Test func `a writer in another mount namespace is found through a bind mount`() throws {
            let directory = try TemporaryDirectory("namespace")
            try Durable.makeDirectories(directory.path("data"))
            try Durable.makeDirectories(directory.path("elsewhere"))
            try Durable.makeDirectories(directory.path("other"))
            let script = """
                mount --bind data elsewhere && exec 4> elsewhere/file 5> other/file; echo $? > ready; exec sleep 100
                """
            let child = try ChildProcess.spawn(
                "/usr/bin/unshare", arguments: ["unshare", "-m", "/bin/sh", "-c", script], error: .null, directory: directory.path)
            defer {
                try? child.kill(SIGKILL)
                _ = try? child.wait()
            }
            let deadline = ContinuousClock.now + .seconds(10)
            var answer: [UInt8] = []
            while answer.last != 0x0A, ContinuousClock.now < deadline, try child.poll() == nil {
                answer = (try? directory.read("ready")) ?? []
                SystemClock.sleep(.milliseconds(5))
            }
            guard answer == Array("0\n".utf8) else {
                print("SKIPPED: no mount namespaces on this machine, so writers in other ones are not tested")
                return
            }
            let groups = try OpenWriters.find(below: directory.path("data")).groups
            #expect(groups.map(\.root.pid) == [child.pid])
            #expect(groups.first?.root.files == 1)
        }

        @Test func `descendants belong to the topmost process that was found`() {
            func process(_ pid: Int32, _ parent: Int32) -> OpenWriters.Process {
                OpenWriters.Process(pid: pid, startTicks: 0, parent: parent, name: "", files: 1, mappedFiles: 0)
            }
            // 10 > 11 (not found) > 12 > 13, and 20 beside it; 30 and 31 are each other's parent, which only a torn snapshot shows.
            let found: [Int32: OpenWriters.Process] = [
                10: process(10, 1), 12: process(12, 11), 13: process(13, 12), 20: process(20, 1), 40: process(40, 30),
            ]
            let groups = OpenWriters.grouped(found, [10: 1, 11: 10, 12: 11, 13: 12, 20: 1, 1: 0, 30: 31, 31: 30])
            #expect(groups.map { $0.members.map(\.pid) } == [[10, 12, 13], [20], [40]])
        }

        @Test(arguments: ["", " ", "1 2", "a b c d e f - g h", "1 2 0:1 / /x rw", "1 2 0:1 / /x rw -", "\\", "\\04", "\\999"])
        func `what /proc never says is left out, not believed`(text: String) {
            #expect(MountTable(parsing: Array(text.utf8)).mounts.isEmpty)
            #expect(DescriptorInformation(parsing: Array(text.utf8)) == nil)
            #expect(ProcessStat(parsing: Array(text.utf8)) == nil)
            #expect(OctalEscapes.decode(text.utf8) == Array(text.utf8))
        }

        @Test func `mounts map paths to volumes`() throws {
            let table = MountTable(
                parsing: Array(
                    """
                    1 0 8:1 / / rw shared:1 master:2 - ext4 /dev/a rw
                    2 1 8:2 /sub /mnt/a\\040b rw - ext4 /dev/b rw

                    """.utf8))
            let path = Array("/mnt/a b/c".utf8)
            let mount = try #require(table.mount(covering: path))
            #expect(mount.id == 2)
            #expect(mount.volumePath(of: path) == Array("/sub/c".utf8))
            #expect(table.mount(covering: Array("/mnt/a bc".utf8))?.id == 1)
            #expect(table.mount(id: 1)?.volumePath(of: Array("/".utf8)) == Array("/".utf8))
            #expect(table.mount(id: 1)?.volumePath(of: path) == path)
        }
    }
}
