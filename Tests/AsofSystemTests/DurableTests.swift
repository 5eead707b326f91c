import AsofCore
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

@Suite("Durable replacement")
struct DurableTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory("durable") }

    @Test func `the file is replaced whole and nothing is left beside it`() throws {
        try Durable.replace(inDirectory: directory.path, "state", [1, 2, 3])
        try Durable.replace(inDirectory: directory.path, "state", [4])
        #expect(try directory.read("state") == [4])
        #expect(try directory.names() == ["state"])
        #expect(try SystemCall.status(directory.path("state")).attributes.mode & 0o7777 == 0o600)
    }

    @Test func `a failure leaves the old content and no temporary file`() throws {
        try SystemCall.makeDirectory(directory.path("state"), mode: 0o700)
        #expect(throws: Errno(EISDIR)) { try Durable.replace(inDirectory: directory.path, "state", [1]) }
        #expect(try directory.names() == ["state"])
    }

    @Test func `parents are made where they are missing`() throws {
        try Durable.makeDirectories(directory.path("a/b//c/"))
        try Durable.makeDirectories(directory.path("a/b/c/d"))
        #expect(try directory.names(in: "a/b/c") == ["d"])
        try directory.write("file", [])
        #expect(throws: Errno.self) { try Durable.makeDirectories(directory.path("file/x")) }
    }

    @Test func `a crash before the rename keeps the old content, one after it shows the new`() async throws {
        for (point, content) in [("durable.replace.written", [1] as [UInt8]), ("durable.replace.renamed", [2])] {
            try directory.write("state", [1])
            let path = directory.path
            await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, point = point as String] in
                CrashPoint.arm(point)
                try Durable.replace(inDirectory: path, "state", [2])
            }
            #expect(try directory.read("state") == content)
        }
    }

    @Test(arguments: [("x.y", 1), ("x.y:1", 1), ("x.y:3", 3)])
    func `a crash point kills the time it was told to`(specification: String, time: Int) async {
        await #expect(processExitsWith: .signal(SIGKILL)) { [specification, time] in
            CrashPoint.arm(specification)
            for _ in 0..<time {
                CrashPoint.reach("x.yy")
                CrashPoint.reach("x.y")
            }
            exit(0)
        }
        await #expect(processExitsWith: .exitCode(0)) { [specification, time] in
            CrashPoint.arm(specification)
            for _ in 1..<time { CrashPoint.reach("x.y") }
            exit(0)
        }
    }

    @Test(arguments: [nil, "", ":", ":3", "x.y:0", "x.y:-1", "x.y:many", "x.y.z", "X.Y"])
    func `what names no point kills nobody`(specification: String?) async {
        await #expect(processExitsWith: .exitCode(0)) { [specification] in
            CrashPoint.arm(specification)
            for _ in 0..<5 { CrashPoint.reach("x.y") }
            exit(0)
        }
    }
}
