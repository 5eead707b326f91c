import AsofCore
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

@Suite("Processes, sockets and clocks")
struct ProcessTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory("process") }

    private func shell(_ script: String, descriptors: [ChildProcess.Inheritance] = [], newSession: Bool = false) throws
        -> (outcome: ChildProcess.Outcome, output: String)
    {
        let file = try SystemCall.open(directory.path("out"), O_RDWR | O_CREAT | O_TRUNC, mode: 0o600)
        let child = try ChildProcess.spawn(
            "/bin/sh", arguments: ["sh", "-c", script], environment: ["PATH=/usr/bin:/bin", "WORD=héllo"],
            output: .descriptor(file.raw), descriptors: descriptors, directory: "/", newSession: newSession)
        let outcome = try child.wait()
        #expect(try child.wait() == outcome)
        return (outcome, String(decoding: try SystemCall.readAll(file.raw), as: UTF8.self))
    }

    @Test func `a child has its environment, directory, exit code, and null as input`() throws {
        let result = try shell("cat; echo $WORD; pwd; exit 7")
        #expect(result.outcome == .exited(7))
        #expect(result.output == "héllo\n/\n")
        #expect(try shell("kill -9 $$").outcome == .signalled(9))
        #expect(throws: Errno(ENOENT)) { _ = try ChildProcess.spawn("/nonexistent", arguments: ["x"]) }
        #expect(throws: Errno(EINVAL)) { _ = try ChildProcess.spawn("/bin/true", arguments: ["a\0b"]) }
    }

    @Test func `only the named descriptors survive, swapped ones too`() throws {
        try directory.write("five", [0x35])
        try directory.write("six", [0x36])
        let five = try SystemCall.open(directory.path("five"), O_RDONLY)
        let six = try SystemCall.open(directory.path("six"), O_RDONLY)
        // Without close-on-exec: only closing everything else keeps it out.
        let leaked = dup(five.raw)
        defer { close(leaked) }
        let result = try shell(
            "cat /proc/self/fd/\(six.raw) /proc/self/fd/\(five.raw); ls /proc/self/fd | wc -w",
            descriptors: [.init(source: five.raw, target: six.raw), .init(source: six.raw, target: five.raw)])
        // Three streams, the two, and the one that ls has open.
        #expect(result.output.filter { $0 != " " } == "566\n")
    }

    @Test func `a child starts with no blocked signals and can have a session of its own`() throws {
        let result = try shell(
            "grep SigBlk /proc/self/status | tr -d '\\t'; ps -o sid= -p $$ | tr -d ' '; echo $$", newSession: true)
        let lines = result.output.split(separator: "\n").map(String.init)
        #expect(lines.first == "SigBlk:0000000000000000")
        if lines.count == 3 { #expect(lines[1] == lines[2]) }
    }

    @Test func `a child is killed, and waiting with a timeout gives up`() throws {
        let child = try ChildProcess.spawn("/bin/sleep", arguments: ["sleep", "100"])
        #expect(try child.wait(timeout: .milliseconds(20)) == nil)
        let waiter = try NamedThread("waiter") { _ = try? child.wait() }
        try child.kill(SIGKILL)
        #expect(try child.wait() == .signalled(SIGKILL))
        waiter.join()
        try child.kill(SIGKILL)
    }

    @Test(arguments: [
        ("echo ok >&3; exec 3>&-; sleep 0.1", ReadyPipe.Report.ready),
        ("echo 'no room' >&3", .failed("no room")),
        ("exit 1", .silent),
        ("exec sleep 5", .timedOut),
    ])
    func `a ready pipe tells what the child said`(script: String, expected: ReadyPipe.Report) throws {
        var pipe = try ReadyPipe()
        let child = try ChildProcess.spawn("/bin/sh", arguments: ["sh", "-c", script], descriptors: [pipe.inheritance])
        #expect(try pipe.wait(timeout: expected == .timedOut ? .milliseconds(100) : .seconds(20)) == expected)
        try child.kill(SIGKILL)
        try child.wait()
    }

    @Test func `a process knows who it is, and who is dead`() throws {
        let me = try ProcessIdentity.current()
        #expect(try me.isAlive())
        let child = try ChildProcess.spawn("/bin/sleep", arguments: ["sleep", "100"])
        let identity = try ProcessIdentity.of(child.pid)
        #expect(try identity.liveness() == .alive)
        var reused = identity
        reused.startTicks &+= 1
        #expect(try reused.liveness() == .dead)
        try child.kill(SIGKILL)
        try child.wait()
        #expect(try identity.liveness() == .dead)
        var elsewhere = me
        elsewhere.host = "elsewhere"
        #expect(try elsewhere.liveness() == .unknown)
        var earlier = me
        earlier.bootID = "earlier"
        #expect(try earlier.liveness() == .dead)
        #expect(throws: Errno(ESRCH)) { _ = try ProcessIdentity.of(Int32.max) }
    }

    @Test func `signals are taken by waiting`() async {
        await #expect(processExitsWith: .exitCode(0)) {
            let waiter = try SignalWaiter(blocking: [SIGTERM, SIGUSR1])
            guard try waiter.wait(timeout: .milliseconds(10)) == nil else { exit(1) }
            // To this thread: the other threads of this test process do not block it.
            pthread_kill(pthread_self(), SIGUSR1)
            guard try waiter.wait(timeout: .seconds(20)) == SIGUSR1 else { exit(2) }
            pthread_kill(pthread_self(), SIGTERM)
            guard try waiter.wait() == SIGTERM else { exit(3) }
            exit(0)
        }
    }

    @Test func `clocks go on and agree with the system's`() throws {
        let boot = SystemClock.bootNanoseconds()
        let now = SystemClock.now()
        SystemClock.sleep(.milliseconds(3))
        #expect(SystemClock.bootNanoseconds() >= boot + 3_000_000)
        #expect(SystemClock.now() > now)
        #expect(now.seconds > 1_700_000_000)
        #expect(try SystemClock.bootIdentifier().count == 36)
    }

    @Test(arguments: ["s", String(repeating: "long/", count: 60) + "s"])
    func `a socket of any path answers line by line, for its owner only`(name: String) throws {
        let path = directory.path(name)
        if let slash = path.lastIndex(of: "/") { try Durable.makeDirectories(String(path[..<slash])) }
        let stop = Lock(false)
        do {
            let listener = try UnixListener(path: path)
            #expect(try SystemCall.status(path).attributes.mode & 0o7777 == 0o600)
            let server = try NamedThread("server") {
                try? listener.serve(until: { stop.withLock { $0 } }) { connection in
                    while let line = try connection.readLine(timeout: .seconds(20)) {
                        try connection.writeLine("<\(line)>", timeout: .seconds(20))
                    }
                }
            }
            for _ in 0..<2 {
                let client = try UnixSocket.connect(path: path)
                for line in ["hello", "", String(repeating: "x", count: 500_000)] {
                    try client.writeLine(line, timeout: .seconds(20))
                    #expect(try client.readLine(timeout: .seconds(20)) == "<\(line)>")
                }
                #expect(throws: Errno(ETIMEDOUT)) { _ = try client.readLine(timeout: .milliseconds(10)) }
            }
            #expect(throws: Errno(EADDRINUSE)) { _ = try UnixListener(path: path) }
            stop.withLock { $0 = true }
            server.join()
        }
        #expect(throws: Errno(ENOENT)) { _ = try UnixSocket.connect(path: path) }
    }

    @Test func `a socket left behind is replaced, a file is not`() async throws {
        let path = directory.path("s")
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let listener = try UnixListener(path: path)
            kill(getpid(), SIGKILL)
            withExtendedLifetime(listener) {}
        }
        #expect(throws: Errno(ECONNREFUSED)) { _ = try UnixSocket.connect(path: path) }
        _ = try UnixListener(path: path)
        try directory.write("file", [1])
        #expect(throws: Errno(EADDRINUSE)) { _ = try UnixListener(path: directory.path("file")) }
        #expect(try directory.read("file") == [1])
    }

    @Test func `failures are said with the path and a hint, and a full disk may be tried again`() {
        let full = AsofError(Errno(ENOSPC), "cannot write /backups/x")
        #expect(full.code == .unavailable)
        #expect(
            full.description == """
                cannot write /backups/x: No space left on device
                  hint: free space on that file system, or raise its quota; a running capture goes on by itself then, any other command is to be given again
                """)
        #expect(AsofError(Errno(EACCES), "x").code == .failure)
        #expect(AsofError(Errno(99999), "x").message == "x: error 99999")
    }
}
