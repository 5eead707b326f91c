import AsofSystem
import AsofTestSupport
import Glibc
import Testing

extension ProgramTests {
    /// A server that has a file of the directory mapped for writing.
    @Suite(.enabled(if: ProgramFixture.canFollow))
    struct MappedFile {
        let fixture: ProgramFixture
        init() throws {
            fixture = try ProgramFixture()
            #expect(try fixture.run("init", "-q").code == 0)
        }

        private func server() throws -> ChildProcess {
            let folder = fixture.folder
            try folder.write("server.c", Array("""
                #include <fcntl.h>
                #include <sys/mman.h>
                #include <unistd.h>
                int main(int count, char **words) {
                    while (access(words[2], F_OK)) usleep(100000);
                    int file = open(words[1], O_RDWR);
                    volatile char *bytes = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
                    for (;; usleep(100000)) bytes[7] = 'x';
                }
                """.utf8))
            let compiling = try ChildProcess.spawn("/usr/bin/cc", arguments: ["cc", "-o", folder.path("server"), folder.path("server.c")])
            try #require(try compiling.wait() == .exited(0))
            try folder.write("data/mapped", [UInt8](repeating: 0, count: 4096))
            return try ChildProcess.spawn(folder.path("server"), arguments: ["server", folder.path("data/mapped"), folder.path("go")])
        }

        @Test func `is not taken for lost events`() throws {
            let server = try server()
            defer {
                try? server.kill(SIGKILL)
                _ = try? server.wait()
            }
            let capture = try fixture.start("follow", "--tick", "200ms", "--pid", "\(server.pid)", "data")
            #expect(eventually { (try? fixture.run("status", "--json").output.contains(#""comparison":"done""#)) ?? false })
            try fixture.folder.write("go", [])
            // It is looked for mapped files every few seconds at least.
            SystemClock.sleep(.seconds(7))
            try fixture.folder.write("data/other", [1])
            SystemClock.sleep(.seconds(2))
            let (said, status) = (try capture.error(), try fixture.run("status", "--json").output)
            #expect(said.contains("mapped"), "\(said)")
            #expect(!said.contains("events of the directory were lost"), "\(said)")
            #expect(status.contains(#""overflows":0"#), "\(status)")
            try capture.stop()
        }
    }
}
