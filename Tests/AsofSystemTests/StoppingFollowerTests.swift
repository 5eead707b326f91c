import AsofCore
import AsofSystem
import AsofTestSupport
import CLinux
import Glibc
import Testing

extension StoppingSuite {
    /// Something happens to the follower, inside a stop.
    @Suite("The follower's own troubles", .serialized)
    struct StoppingFollowerTests {
        /// Plays a follower in a process of its own: by `way` it stops the server, and then does `act` to itself.
        /// Exit code: 0 where it lived on and was told that the server had been let go; 1: that it had not.
        private enum Act: String {
            /// SIGSTOP.
            case stop
            /// SIGSTOP; woken, it stops the server again at once, and again.
            case again
            /// Its cgroup is killed.
            case kill
            /// Killed with its watchdog.
            case doom
        }

        private struct Troubled: Sendable {
            let server: Int32
            let way: String
            let act: String
            let folder: String
            let cgroup: String

            init(_ stage: StoppingStage, _ act: Act, cgroup: TemporaryCgroup? = nil) {
                (server, way, self.act) = (stage.server.child.pid, stage.way.rawValue, act.rawValue)
                (folder, self.cgroup) = (stage.server.directory.path, cgroup?.path ?? "")
            }

            /// One string, since that is what a process takes along.
            var text: String { "\(server) \(way) \(act) \(folder) \(cgroup)" }

            static func run(_ text: String) throws -> Never {
                let parts = text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
                let (way, act) = (try #require(StopWay(rawValue: parts[1])), try #require(Act(rawValue: parts[2])))
                let (folder, cgroup) = (parts[3], parts[4])
                if !cgroup.isEmpty { try StoppingServer.write(cgroup + "/cgroup.procs", String(getpid())) }
                let pid = try #require(Int32(parts[0]))
                let stopper = try way.stopper(
                    for: [try ProcessHandle(pid: pid)], executable: StoppingStage.program, note: folder + "/stopped")
                _ = try stopper.stop(within: .milliseconds(300))
                let file = try SystemCall.open(folder + "/follower.new", O_WRONLY | O_CREAT, mode: 0o600)
                try SystemCall.writeFully(file.raw, Array("\(getpid())".utf8))
                try SystemCall.rename(at: AT_FDCWD, folder + "/follower.new", to: AT_FDCWD, folder + "/follower")
                switch act {
                case .stop, .again: kill(getpid(), SIGSTOP)
                case .kill: try StoppingServer.write(cgroup + "/cgroup.kill", "1")
                case .doom:
                    let watchdog = (stopper as? SignalStopper)?.watchdogPid ?? (stopper as? CgroupStopper)?.watchdogPid ?? 0
                    try ProcessHandle(pid: watchdog).send(SIGKILL)
                    kill(getpid(), SIGKILL)
                }
                // A stop that is on its way is met here at the latest.
                SystemClock.sleep(.milliseconds(5))
                // Woken, the follower may let go itself before the tracer's alarm does: by ptrace that is a long stop, and an exact one.
                var code: Int32 = way == .ptrace ? 0 : 1
                do throws(StopFailure) { try stopper.resume() } catch { code = error == .letGo ? 0 : 2 }
                for _ in 0..<2000 where act == .again {
                    do throws(StopFailure) {
                        _ = try stopper.stop(within: .milliseconds(300))
                        try stopper.resume()
                    } catch { code = 3 }
                }
                // Long enough to be stopped again, and to be seen so.
                SystemClock.sleep(.milliseconds(300))
                exit(code)
            }
        }

        /// The follower, once it has stopped the server.
        private func follower(of stage: StoppingStage) throws -> ProcessHandle {
            let deadline = ContinuousClock.now + .seconds(20)
            while ContinuousClock.now < deadline {
                if let bytes = try? SystemCall.readAll(path: stage.server.directory.path("follower")),
                    let pid = Int32(String(decoding: bytes, as: UTF8.self))
                {
                    return try ProcessHandle(pid: pid)
                }
                SystemClock.sleep(.milliseconds(1))
            }
            throw Errno(ETIMEDOUT)
        }

        private func state(of process: ProcessHandle) -> Character? {
            guard let bytes = try? SystemCall.readAll(path: "/proc/\(process.pid)/stat"),
                let close = bytes.lastIndex(of: UInt8(ascii: ")")), bytes.count > close + 2
            else { return nil }
            return Character(UnicodeScalar(bytes[close + 2]))
        }

        @Test(arguments: StopWay.allCases)
        func `stopped by SIGSTOP inside a stop, it does not hold the server, and stays stopped itself`(way: StopWay) async throws {
            guard let stage = try StoppingStage(way) else { return }
            let text = Troubled(stage, .stop).text
            let isRunning = Lock(false)
            let isStopped = Lock(false)
            let checker = try NamedThread("checker") {
                guard let follower = try? follower(of: stage) else { return }
                let runs = (try? stage.server.isRunning(within: .milliseconds(1500))) ?? false
                isRunning.withLock { $0 = runs }
                SystemClock.sleep(.milliseconds(100))
                isStopped.withLock { $0 = state(of: follower) == "T" }
                try? follower.send(SIGCONT)
            }
            await #expect(processExitsWith: .exitCode(0)) { [text = text as String] in try Troubled.run(text) }
            checker.join()
            #expect(isRunning.withLock { $0 })
            #expect(isStopped.withLock { $0 })
            #expect(try stage.server.isRunning())
            #expect(try stage.server.threadFields("TracerPid").allSatisfy { $0 == "0" })
        }

        @Test(arguments: 0..<4)
        func `stopped by SIGSTOP inside a stop by ptrace, it is not stopped again inside the next one`(turn: Int) async throws {
            guard let stage = try StoppingStage(.ptrace) else { return }
            let text = Troubled(stage, .again).text
            let isRunning = Lock(false)
            let checker = try NamedThread("checker") {
                guard let follower = try? follower(of: stage) else { return }
                _ = try? stage.server.isRunning(within: .milliseconds(1500))
                let deadline = ContinuousClock.now + .seconds(3)
                while state(of: follower) != "T", ContinuousClock.now < deadline { SystemClock.sleep(.milliseconds(1)) }
                let runs = (try? stage.server.isRunning(within: .milliseconds(300))) ?? false
                isRunning.withLock { $0 = runs }
                try? follower.send(SIGCONT)
            }
            await #expect(processExitsWith: .exitCode(0)) { [text = text as String] in try Troubled.run(text) }
            checker.join()
            #expect(isRunning.withLock { $0 })
        }

        @Test(arguments: StopWay.allCases)
        func `killed with its whole cgroup inside a stop, it leaves nothing stopped`(way: StopWay) async throws {
            guard let stage = try StoppingStage(way), let cgroup = TemporaryCgroup() else { return }
            let text = Troubled(stage, .kill, cgroup: cgroup).text
            await #expect(processExitsWith: .signal(SIGKILL)) { [text = text as String] in try Troubled.run(text) }
            #expect(try stage.server.isRunning(within: .seconds(1)))
            // The watchdog has said so: the next start finds nothing to do.
            SystemClock.sleep(.milliseconds(50))
            #expect(StopNote.release(at: stage.server.directory.path("stopped")) == nil)
        }

        @Test(arguments: [StopWay.cgroup, .signal])
        func `killed with its watchdog, it leaves a note, and the next start lets go`(way: StopWay) async throws {
            guard let stage = try StoppingStage(way) else { return }
            let text = Troubled(stage, .doom).text
            await #expect(processExitsWith: .signal(SIGKILL)) { [text = text as String] in try Troubled.run(text) }
            #expect(try !stage.server.isRunning(within: .milliseconds(200)))
            let note = stage.server.directory.path("stopped")
            let bytes = try SystemCall.readAll(path: note)
            // What cannot be the note of this stop is not believed: of another boot, of another process, empty, enormous, none.
            var wrong = [[], [1], [UInt8](repeating: 1, count: 70_000), [UInt8](repeating: 0, count: 4096), [0] + Array(bytes.dropFirst())]
            let lines = String(decoding: bytes.dropFirst().prefix { $0 != 0 }, as: UTF8.self).split(separator: "\n").map(String.init)
            for index in 0..<3 {
                var changed = lines
                changed[index] = changed[index].dropLast() + (changed[index].last == "1" ? "2" : "1")
                wrong.append([1] + Array(changed.joined(separator: "\n").utf8))
            }
            for bytes in wrong {
                try write(note, bytes)
                #expect(StopNote.release(at: note) == nil)
            }
            #expect(try !stage.server.isRunning(within: .milliseconds(200)))
            try write(note, bytes)
            #expect(StopNote.release(at: note) != nil)
            #expect(try stage.server.isRunning(within: .seconds(1)))
            #expect(StopNote.release(at: note) == nil)
        }

        @Test(arguments: [StopWay.cgroup, .signal])
        func `what somebody else has stopped since is left alone`(way: StopWay) throws {
            guard let stage = try StoppingStage(way) else { return }
            let note = stage.server.directory.path("stopped")
            let stopper = try way.stopper(for: [stage.server.handle], executable: StoppingStage.program, note: note)
            _ = try stopper.stop(within: .seconds(1))
            #expect(try SystemCall.readAll(path: note).first == 1)
            try stopper.resume()
            #expect(try SystemCall.readAll(path: note).first == 0)
            if let cgroup = stage.cgroupPath {
                try StoppingServer.write(cgroup + "/cgroup.freeze", "1")
            } else {
                try stage.server.handle.send(SIGSTOP)
            }
            SystemClock.sleep(.milliseconds(50))
            #expect(StopNote.release(at: note) == nil)
            #expect(StopNote.release(at: note + "-that-is-not-there") == nil)
            #expect(try !stage.server.isRunning(within: .milliseconds(200)))
            if let cgroup = stage.cgroupPath { try StoppingServer.write(cgroup + "/cgroup.freeze", "0") } else { try stage.server.handle.send(SIGCONT) }
        }

        private func write(_ path: String, _ bytes: [UInt8]) throws {
            let file = try SystemCall.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
            try SystemCall.writeFully(file.raw, bytes)
        }
    }
}
