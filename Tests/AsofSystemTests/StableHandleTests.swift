import AsofCore
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

@Suite("Stable handles")
struct StableHandleTests {
    @Test func `a handle finds its file after a rename, and nothing after it is gone`() throws {
        let folder = try TemporaryDirectory("handle")
        let directory = try folder.open()
        try folder.write("a", [1, 2, 3])
        try folder.write("other", [4])
        func handle(of name: String) throws(Errno) -> StableHandle {
            let file = try SystemCall.open(folder.path(name), SystemCall.O_PATH)
            return try StableHandle(of: file.raw)
        }
        let (found, other) = (try handle(of: "a"), try handle(of: "other"))
        #expect(found != other)
        try SystemCall.rename(at: directory.raw, "a", to: directory.raw, "b")
        do {
            let file = try found.open(directory.raw, O_RDONLY)
            #expect(try SystemCall.readAll(file.raw) == [1, 2, 3])
        }
        try SystemCall.unlink(at: directory.raw, "b")
        #expect(throws: Errno(ESTALE)) { _ = try found.open(directory.raw, O_RDONLY) }
    }

    @Test(arguments: [[], [1], [UInt8](repeating: 255, count: 4), [UInt8](repeating: 255, count: 132), [UInt8](repeating: 0, count: 5000)] as [[UInt8]])
    func `bytes that are no handle are refused`(bytes: [UInt8]) throws {
        let directory = try TemporaryDirectory("handle").open()
        #expect(throws: Errno.self) { _ = try StableHandle(bytes: bytes).open(directory.raw, O_RDONLY) }
    }
}
