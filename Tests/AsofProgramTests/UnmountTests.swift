import AsofSystem
import AsofTestSupport
import Glibc
import Testing

extension ProgramTests {
    @Suite(.enabled(if: ProgramFixture.canFollow))
    struct Unmount {
        let fixture: ProgramFixture
        init() throws {
            fixture = try ProgramFixture()
            try fixture.capture("a")
        }

        private func server() throws -> Int32 {
            let status = try fixture.run("status", "--json").output
            return try #require(Int32(status.split(separator: "\"process\":").last?.prefix { $0.isNumber } ?? ""))
        }

        @Test func `--lazy does not wait for whoever uses the mount, nor for a server that hangs`() throws {
            #expect(try fixture.run("mount", "-q", "--at", "latest", "mnt").code == 0)
            let first = try server()
            do {
                let user = try SystemCall.open(fixture.folder.path("mnt/a"), O_RDONLY)
                let taken = try fixture.run("umount", "--lazy", "mnt")
                #expect(taken.code == 0 && taken.error.contains("process \(first)"), "\(taken)")
                #expect(try SystemCall.readAll(path: "/proc/self/fd/\(user.raw)") == Array("a".utf8))
                // Another at the same place is not taken for the one that goes on.
                #expect(try fixture.run("mount", "-q", "--at", "latest", "mnt").code == 0)
                #expect(try fixture.run("umount", "mnt").code == 0)
            }
            #expect(eventually { kill(first, 0) != 0 })

            // Of a directory of time the kernel keeps nothing: each look asks the server.
            #expect(try fixture.run("mount", "-q", "mnt").code == 0)
            let second = try server()
            #expect(kill(second, SIGSTOP) == 0)
            defer { kill(second, SIGCONT) }
            let taken = try fixture.run("umount", "--lazy", "mnt")
            #expect(taken.code == 0 && taken.error.contains("process \(second)"), "\(taken)")
        }

        @Test func `a mount in the foreground says for whom it goes on after a signal`() throws {
            let server = try fixture.start(["mount", "--at", "latest", "--foreground", "mnt"], until: "as of")
            do {
                let user = try SystemCall.open(fixture.folder.path("mnt/a"), O_RDONLY)
                try server.child.kill(SIGINT)
                #expect(eventually { (try? server.error().contains("still have open there")) ?? false })
                #expect(try SystemCall.readAll(path: "/proc/self/fd/\(user.raw)") == Array("a".utf8))
            }
            #expect(try server.child.wait(timeout: .seconds(30)) == .exited(0))
        }

        @Test func `of two mounts at one place at once one stands, and the other is refused`() throws {
            let fixture = try ProgramFixture()
            try fixture.folder.write("key", Array(String(repeating: "0a", count: 32).utf8))
            #expect(try fixture.run("init", "-q", "--key-file", "key").code == 0)
            try fixture.capture("a", key: "key")
            // Both have looked whether anything is mounted there before they get their keys.
            let script = """
                mkfifo one two
                asof mount -q --foreground --at latest --key-file one mnt & first=$!
                asof mount -q --foreground --at latest --key-file two mnt & second=$!
                sleep 1
                cat key > one; cat key > two
                until grep -q "$PWD/mnt " /proc/mounts; do sleep 0.1; done
                sleep 1
                grep -c "$PWD/mnt " /proc/mounts
                timeout 10 asof umount mnt; echo umount $?
                while umount -l mnt 2> /dev/null; do echo another; done
                wait $first; echo $?
                wait $second; echo $?
                """
            let begun = try fixture.shell(script)
            #expect(begun.lines.prefix(2) == ["1", "umount 0"] && begun.lines.suffix(2).sorted() == ["0", "1"], "\(begun)")
            #expect(begun.error.contains("is mounted at"), "\(begun)")
        }
    }
}
