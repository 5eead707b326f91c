import AsofCore
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

/// Everything about stopping, one test after the other: they measure time, and share two processors.
@Suite("Stopping", .serialized)
struct StoppingSuite {
    @Suite("Stopping a process", .serialized)
    struct StoppingTests {
        @Test(arguments: StopWay.allCases)
        func `nothing moves during a stop, and everything after it`(way: StopWay) throws {
            guard let stage = try StoppingStage(way) else { return }
            let stopper = try stage.stopper()
            #expect(stopper.way == way)
            for _ in 0..<5 {
                let begun = SystemClock.now()
                let report = try stopper.stop(within: .milliseconds(500))
                let stopped = try stage.server.progress()
                let ended = SystemClock.now()
                SystemClock.sleep(.milliseconds(10))
                #expect(try stage.server.progress() == stopped)
                #expect(report.threads == 9)
                #expect(report.stoppedAt > begun)
                #expect(report.stoppedAt < ended)
                #expect(report.took > .zero)
                #expect(throws: StopFailure.busy) { _ = try stopper.stop(within: .milliseconds(1)) }
                #expect(try stage.server.progress() == stopped)
                try stopper.resume()
                try stopper.resume()
                #expect(try stage.server.isRunning())
            }
            #expect(try stage.server.threadFields("TracerPid").allSatisfy { $0 == "0" })
        }

        @Test(arguments: StopWay.allCases)
        func `two hundred stops in a row, while threads come and go`(way: StopWay) throws {
            guard let stage = try StoppingStage(way, churn: true) else { return }
            let stopper = try stage.stopper()
            let churned = try stage.server[.churned]
            for _ in 0..<200 {
                _ = try stopper.stop(within: .seconds(2))
                let stopped = try stage.server.progress()
                SystemClock.sleep(.microseconds(500))
                #expect(try stage.server.progress() == stopped)
                try stopper.resume()
                SystemClock.sleep(.microseconds(300))
            }
            #expect(try stage.server.isRunning())
            #expect(try stage.server[.churned] > churned)
            #expect(try stage.server.threadFields("TracerPid").allSatisfy { $0 == "0" })
        }

        @Test(arguments: StopWay.allCases)
        func `a signal sent during a stop is delivered after it, and none is lost around it`(way: StopWay) throws {
            guard let stage = try StoppingStage(way) else { return }
            let stopper = try stage.stopper()
            _ = try stopper.stop(within: .seconds(1))
            try stage.server.handle.send(SIGUSR1)
            SystemClock.sleep(.milliseconds(10))
            #expect(try stage.server[.signals] == 0)
            try stopper.resume()
            #expect(try reaches(1, stage.server))
            // Now just before the stop, so that some threads are stopped on their way to the handler.
            for round in 2...150 {
                try stage.server.handle.send(SIGUSR1)
                _ = try stopper.stop(within: .seconds(1))
                try stopper.resume()
                try #require(try reaches(UInt64(round), stage.server))
            }
        }

        private func reaches(_ count: UInt64, _ server: StoppingServer) throws -> Bool {
            let deadline = ContinuousClock.now + .seconds(5)
            while ContinuousClock.now < deadline {
                if try server[.signals] >= count { return try server[.signals] == count }
                SystemClock.sleep(.microseconds(200))
            }
            return false
        }

        @Test(arguments: StopWay.allCases)
        func `when the follower is killed inside a stop, the server goes on within a second`(way: StopWay) async throws {
            guard let stage = try StoppingStage(way) else { return }
            let pid = stage.server.child.pid
            let name = way.rawValue
            await #expect(processExitsWith: .signal(SIGKILL)) { [pid = pid as Int32, name = name as String] in
                let way = try #require(StopWay(rawValue: name))
                let stopper = try way.stopper(
                    for: [try ProcessHandle(pid: pid)], longestHold: .seconds(100), executable: StoppingStage.program)
                _ = try stopper.stop(within: .seconds(2))
                kill(getpid(), SIGKILL)
                withExtendedLifetime(stopper) {}
            }
            #expect(try stage.server.isRunning(within: .seconds(1)))
            #expect(try stage.server.threadFields("TracerPid").allSatisfy { $0 == "0" })
        }

        @Test(arguments: StopWay.allCases)
        func `a stop held too long is let go, and resume says so`(way: StopWay) throws {
            guard let stage = try StoppingStage(way) else { return }
            let stopper = try stage.stopper(longestHold: .milliseconds(50))
            for _ in 0..<3 {
                _ = try stopper.stop(within: .milliseconds(500))
                #expect(try stage.server.isRunning(within: .seconds(2)))
                #expect(throws: StopFailure.letGo) { try stopper.resume() }
                try stopper.resume()
                _ = try stopper.stop(within: .milliseconds(500))
                try stopper.resume()
            }
            #expect(try stage.server.isRunning())
        }

        @Test(arguments: StopWay.allCases)
        func `a stopper that is dropped inside a stop lets go`(way: StopWay) throws {
            guard let stage = try StoppingStage(way) else { return }
            do {
                let stopper = try stage.stopper(longestHold: .seconds(100))
                _ = try stopper.stop(within: .seconds(1))
                let stopped = try stage.server.progress()
                SystemClock.sleep(.milliseconds(2))
                #expect(try stage.server.progress() == stopped)
                withExtendedLifetime(stopper) {}
            }
            #expect(try stage.server.isRunning())
        }

        @Test(arguments: StopWay.allCases)
        func `what somebody else has stopped stays stopped`(way: StopWay) throws {
            guard let stage = try StoppingStage(way) else { return }
            let server = stage.server
            let stopper = try stage.stopper()
            if let cgroup = stage.cgroupPath {
                try StoppingServer.write(cgroup + "/cgroup.freeze", "1")
            } else {
                try server.handle.send(SIGSTOP)
            }
            SystemClock.sleep(.milliseconds(50))
            for _ in 0..<3 {
                #expect(throws: StopFailure.alreadyStopped(pid: server.child.pid)) { _ = try stopper.stop(within: .seconds(1)) }
                try stopper.resume()
                let stopped = try server.progress()
                SystemClock.sleep(.milliseconds(20))
                #expect(try server.progress() == stopped)
            }
            if let cgroup = stage.cgroupPath {
                try StoppingServer.write(cgroup + "/cgroup.freeze", "0")
            } else {
                #expect(try server.threadFields("State").allSatisfy { $0.hasPrefix("T") })
                try server.handle.send(SIGCONT)
            }
            #expect(try server.isRunning())
            _ = try stopper.stop(within: .seconds(1))
            try stopper.resume()
            #expect(try server.isRunning())
        }

        @Test func `a SIGSTOP of somebody else inside a stop by ptrace holds after it`() throws {
            guard let stage = try StoppingStage(.ptrace) else { return }
            let stopper = try stage.stopper()
            _ = try stopper.stop(within: .seconds(1))
            try stage.server.handle.send(SIGSTOP)
            try stopper.resume()
            SystemClock.sleep(.milliseconds(50))
            let stopped = try stage.server.progress()
            SystemClock.sleep(.milliseconds(20))
            #expect(try stage.server.progress() == stopped)
            #expect(throws: StopFailure.alreadyStopped(pid: stage.server.child.pid)) { _ = try stopper.stop(within: .seconds(1)) }
            try stage.server.handle.send(SIGCONT)
            #expect(try stage.server.isRunning())
        }

        @Test(arguments: StopWay.allCases)
        func `a process that ends is an error, inside a stop and in the middle of one`(way: StopWay) throws {
            guard let inside = try StoppingStage(way) else { return }
            let stopper = try inside.stopper()
            _ = try stopper.stop(within: .seconds(1))
            try inside.server.child.kill(SIGKILL)
            try stopper.resume()
            #expect(try inside.server.child.wait(timeout: .seconds(5)) == .signalled(SIGKILL))
            #expect(!inside.server.handle.isAlive)
            #expect(throws: StopFailure.exited(pid: inside.server.child.pid)) { _ = try stopper.stop(within: .seconds(1)) }
            #expect(throws: Errno(ESRCH)) { try inside.server.handle.send(0) }

            for delay in [0, 200, 700, 1500, 4000] {
                guard let stage = try StoppingStage(way, churn: true) else { return }
                let server = stage.server
                let stopper = try stage.stopper()
                let handle = server.handle
                let killer = try NamedThread("killer") {
                    SystemClock.sleep(.microseconds(delay))
                    try? handle.send(SIGKILL)
                }
                let begun = ContinuousClock.now
                #expect(throws: StopFailure.exited(pid: server.child.pid)) {
                    while ContinuousClock.now < begun + .seconds(10) {
                        _ = try stopper.stop(within: .seconds(1))
                        try stopper.resume()
                    }
                }
                killer.join()
                #expect(try server.child.wait(timeout: .seconds(5)) == .signalled(SIGKILL))
            }
        }

        @Test(arguments: StopWay.allCases)
        func `a thread in an uninterruptible wait does not hold up a stop, and is not left traced`(way: StopWay) throws {
            guard let stage = try StoppingStage(way, vfork: true) else { return }
            SystemClock.sleep(.milliseconds(20))
            let stopper = try stage.stopper()
            var blocked = 0
            for _ in 0..<10 {
                let report = try stopper.stop(within: .seconds(2))
                blocked += report.blocked
                let stopped = try stage.server.progress()
                SystemClock.sleep(.milliseconds(5))
                #expect(try stage.server.progress() == stopped)
                try stopper.resume()
                #expect(try stage.server.threadFields("TracerPid").allSatisfy { $0 == "0" })
                SystemClock.sleep(.milliseconds(37))
            }
            // The freezer counts that wait as frozen by itself.
            if way != .cgroup { #expect(blocked > 0) }
            let vforked = try stage.server[.vforked]
            #expect(try stage.server.isRunning())
            SystemClock.sleep(.milliseconds(700))
            #expect(try stage.server[.vforked] > vforked)
        }

        @Test(arguments: [StopWay.ptrace, .signal])
        func `more threads than there was room for are stopped as well`(way: StopWay) throws {
            guard let stage = try StoppingStage(way) else { return }
            let stopper = try stage.stopper()
            try stage.server.handle.send(SIGUSR2)
            // Starting them takes long where the server's own threads and others have the processors.
            let deadline = ContinuousClock.now + .seconds(120)
            while try stage.server[.resting] < 400, ContinuousClock.now < deadline { SystemClock.sleep(.milliseconds(5)) }
            try #require(try stage.server[.resting] >= 400)
            let report = try stopper.stop(within: .seconds(2))
            #expect(report.threads == 409)
            let stopped = try stage.server.progress()
            SystemClock.sleep(.milliseconds(5))
            #expect(try stage.server.progress() == stopped)
            try stopper.resume()
            #expect(try stage.server.isRunning())
        }

        @Test(arguments: [StopWay.ptrace, .signal])
        func `several processes are stopped as one`(way: StopWay) throws {
            guard let stage = try StoppingStage(way, fork: true) else { return }
            let group = try #require(try OpenWriters.find(below: stage.server.directory.path).groups.first)
            #expect(group.root.pid == stage.server.child.pid)
            #expect(group.descendants.count == 1)
            let stopper = try way.stopper(
                for: try group.members.map { try ProcessHandle(pid: $0.pid, startTicks: $0.startTicks) },
                executable: StoppingStage.program)
            for _ in 0..<20 {
                #expect(try stopper.stop(within: .seconds(1)).threads == 10)
                let stopped = try stage.server.progress()
                SystemClock.sleep(.milliseconds(2))
                #expect(try stage.server.progress() == stopped)
                try stopper.resume()
            }
            let child = try stage.server[.child]
            #expect(try stage.server.isRunning())
            let deadline = ContinuousClock.now + .seconds(20)
            while try stage.server[.child] == child, ContinuousClock.now < deadline { SystemClock.sleep(.milliseconds(5)) }
            #expect(try stage.server[.child] > child)
        }

        @Test(arguments: [StopWay.ptrace, .signal])
        func `a process whose first thread has ended is stopped like any other`(way: StopWay) throws {
            guard let stage = try StoppingStage(way, headless: true) else { return }
            SystemClock.sleep(.milliseconds(50))
            #expect(stage.server.handle.isAlive)
            let stopper = try way.stopper(for: [try ProcessHandle(pid: stage.server.child.pid)], executable: StoppingStage.program)
            for _ in 0..<20 {
                #expect(try stopper.stop(within: .seconds(1)).threads == 8)
                let stopped = try stage.server.progress()
                SystemClock.sleep(.milliseconds(2))
                #expect(try stage.server.progress() == stopped)
                try stopper.resume()
            }
            #expect(try stage.server.isRunning())
        }

        @Test func `a cap that is too short fails and leaves everything running`() throws {
            for way in [StopWay.ptrace, .signal] {
                guard let stage = try StoppingStage(way, threads: 50) else { continue }
                let stopper = try stage.stopper()
                var timedOut = 0
                for _ in 0..<50 {
                    do throws(StopFailure) {
                        _ = try stopper.stop(within: .microseconds(50))
                        try stopper.resume()
                    } catch {
                        #expect(error == .timedOut)
                        timedOut += 1
                    }
                }
                #expect(timedOut > 0)
                #expect(try stage.server.isRunning())
                #expect(try stage.server.threadFields("TracerPid").allSatisfy { $0 == "0" })
                _ = try stopper.stop(within: .seconds(1))
                try stopper.resume()
                #expect(try stage.server.isRunning())
            }
        }

        @Test func `a watchdog that was killed is replaced before the next stop`() throws {
            guard let stage = try StoppingStage(.signal) else { return }
            let stopper = try SignalStopper([stage.server.handle], executable: StoppingStage.program)
            let first = try #require(stopper.watchdogPid)
            #expect(try SystemCall.readAll(path: "/proc/\(first)/comm") == Array("stop-watchdog\n".utf8))
            try ProcessHandle(pid: first).send(SIGTERM)
            _ = try stopper.stop(within: .seconds(1))
            try stopper.resume()
            #expect(stopper.watchdogPid == first)
            try ProcessHandle(pid: first).send(SIGKILL)
            SystemClock.sleep(.milliseconds(20))
            _ = try stopper.stop(within: .seconds(1))
            try stopper.resume()
            #expect(stopper.watchdogPid != first)
            #expect(try stage.server.isRunning())
            #expect(throws: StopFailure.noWatchdog(Errno(ENOENT))) {
                _ = try SignalStopper([stage.server.handle], executable: "/nonexistent")
            }
        }

        @Test func `a watchdog that is stopped itself is replaced`() throws {
            guard let stage = try StoppingStage(.signal) else { return }
            let stopper = try SignalStopper([stage.server.handle], executable: StoppingStage.program)
            let first = try #require(stopper.watchdogPid)
            try ProcessHandle(pid: first).send(SIGSTOP)
            let begun = ContinuousClock.now
            // Few stops: once its socket is full, after some hundred, it would be taken for dead in any case.
            while stopper.watchdogPid == first, ContinuousClock.now - begun < .seconds(4) {
                _ = try stopper.stop(within: .seconds(1))
                try stopper.resume()
                SystemClock.sleep(.milliseconds(100))
            }
            #expect(stopper.watchdogPid != first)
            #expect(ContinuousClock.now - begun > .milliseconds(900))
            // One that runs stays, however often it is asked.
            let second = stopper.watchdogPid
            for _ in 0..<500 {
                _ = try stopper.stop(within: .seconds(1))
                try stopper.resume()
            }
            #expect(stopper.watchdogPid == second)
            #expect(try stage.server.isRunning())
        }

        @Test func `the best way is chosen, with the reasons against better ones`() throws {
            let plain = try StoppingServer()
            let choice = StopWay.best(for: [plain.handle])
            #expect(choice.way == StopWay.ptrace || choice.way == .signal)
            #expect(choice.obstacles.first?.way == .cgroup)
            for obstacle in choice.obstacles { print("\(obstacle.way): \(obstacle.reason)") }
            if let stage = try StoppingStage(.cgroup) {
                let better = StopWay.best(for: [stage.server.handle])
                #expect(better.way == .cgroup)
                #expect(better.obstacles.isEmpty)
                #expect(StopWay.best(for: [stage.server.handle, plain.handle]).way != .cgroup)
            }
            // Asking has left nothing behind.
            #expect(try plain.threadFields("TracerPid").allSatisfy { $0 == "0" })
            #expect(try plain.isRunning())
        }

        @Test func `whether a process can be traced may change while it is asked`() throws {
            let stage = try #require(try StoppingStage(.ptrace))
            let isDone = Lock(false)
            let other = try NamedThread("other-tracer") {
                guard let stopper = try? PtraceStopper([stage.server.handle]) else { return }
                while !isDone.withLock({ $0 }) {
                    _ = try? stopper.stop(within: .milliseconds(100))
                    SystemClock.sleep(.microseconds(50))
                    try? stopper.resume()
                    SystemClock.sleep(.microseconds(50))
                }
            }
            var answers: Set<Bool> = []
            for _ in 0..<120 { answers.insert(StopWay.ptrace.obstacle(for: [stage.server.handle]) == nil) }
            isDone.withLock { $0 = true }
            other.join()
            #expect(answers == [true, false])
            #expect(try stage.server.isRunning())
        }

        @Test(arguments: StopWay.allCases)
        func `latency with fifty busy threads`(way: StopWay) throws {
            guard let stage = try StoppingStage(way, threads: 50) else { return }
            // On a thread of its own: its raised priority is nobody else's.
            let program = StoppingStage.program
            let handle = stage.server.handle
            let times = Lock<[Duration]>([])
            let whole = Lock<[Duration]>([])
            let failure = Lock<StopFailure?>(nil)
            try NamedThread("stopper") {
                do throws(StopFailure) {
                    let stopper = try way.stopper(for: [handle], executable: program)
                    stopper.prepare()
                    for _ in 0..<300 {
                        let begun = ContinuousClock.now
                        let report = try stopper.stop(within: .seconds(1))
                        try stopper.resume()
                        let took = ContinuousClock.now - begun
                        times.withLock { $0.append(report.took) }
                        whole.withLock { $0.append(took) }
                        SystemClock.sleep(.milliseconds(5))
                    }
                } catch {
                    failure.withLock { $0 = error }
                }
            }.join()
            #expect(failure.withLock { $0 } == nil)
            for (name, values) in [("stop", times.withLock { $0.sorted() }), ("stop and resume", whole.withLock { $0.sorted() })] {
                try #require(values.count == 300)
                print("LATENCY \(way), \(name): p50 \(values[150]), p99 \(values[297]), max \(values[299])")
            }
            #expect(try stage.server.isRunning())
        }
    }
}
