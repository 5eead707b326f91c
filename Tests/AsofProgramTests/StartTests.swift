import AsofCore
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

extension ProgramTests {
    @Suite(.enabled(if: ProgramFixture.canFollow))
    struct Starting {
        let fixture: StartFixture
        init() throws { fixture = try StartFixture() }

        private var folder: TemporaryDirectory { fixture.program.folder }
        private func run(_ options: String..., command: [String]) throws -> ProgramFixture.Outcome {
            try fixture.program.run(["start", "--at", "latest"] + options + ["--"] + command)
        }

        /// Processes whose command line holds the fixture's folder, asof's own among them.
        private func processes() throws -> [String] {
            var found: [String] = []
            let reader = try DirectoryReader("/proc")
            while let entry = try reader.next() {
                guard let line = try? SystemCall.readAll(path: "/proc/\(entry.name)/cmdline"), Int(entry.name.description) != nil else { continue }
                let text = String(decoding: line.map { $0 == 0 ? 0x20 : $0 }, as: UTF8.self)
                if text.contains(folder.path) { found.append(text) }
            }
            return found
        }

        @Test func `serves the past, with changes of its own`() throws {
            let server = try fixture.start()
            #expect(try server.get("/read/a") == "a")
            #expect(try server.get("/write/a/changed").isEmpty)
            #expect(try server.get("/read/a") == "changed")
            #expect(try folder.read("data/a") == Array("present".utf8))
            #expect(server.announcement.contains(#""url":"http://127.0.0.1:"#) && server.announcement.contains(#""lsn":"#))
            #expect(!server.announcement.contains("the server speaks"))
            #expect(try server.run.error().contains("the server speaks"))
            try server.run.stop()
            #expect(try processes().isEmpty)
            #expect(try folder.names(in: "state/overlays").isEmpty)
        }

        @Test func `tells people where it answers and how long it took`() throws {
            let run = try fixture.program.start("start", "--at", "latest", "--", fixture.server, "8080")
            #expect(try run.output().hasPrefix("ready in "))
            #expect(try run.output().contains(" s at http://127.0.0.1:"))
            try run.stop()
        }

        @Test func `is a cluster of one that knows nobody`() throws {
            fixture.program.variables = [
                "CLUSTER_JOIN=production:7946", "RAFT_JOIN=a,b,c", "BACKUP_S3_BUCKET=b", "AWS_ACCESS_KEY_ID=k", "OPENAI_APIKEY=k",
                "ENABLE_MODULES=text2vec-openai, backup-s3,offload-s3", "AUTHENTICATION_APIKEY_ALLOWED_KEYS=mine", "AZURE_STORAGE_KEY=k",
            ]
            let server = try fixture.start("--host-name", "node7", "--unsafe-keep-env", "AZURE_STORAGE_KEY")
            let variables = try Set(server.get("/environment").split(separator: "\n").map(String.init))
            for wanted in [
                "CLUSTER_HOSTNAME=node7", "RAFT_JOIN=node7", "RAFT_BOOTSTRAP_EXPECT=1", "CLUSTER_ADVERTISE_ADDR=127.0.0.1", "DISABLE_TELEMETRY=true",
                "ENABLE_MODULES=text2vec-openai", "AUTHENTICATION_APIKEY_ALLOWED_KEYS=mine", "AZURE_STORAGE_KEY=k",
                "PERSISTENCE_DATA_PATH=\(folder.path("state/past"))",
            ] { #expect(variables.contains(wanted), "\(wanted): \(variables)") }
            for gone in ["CLUSTER_JOIN", "BACKUP_S3_BUCKET", "AWS_ACCESS_KEY_ID", "OPENAI_APIKEY"] {
                #expect(!variables.contains { $0.hasPrefix(gone) })
                #expect(try server.run.error().contains(gone))
            }
            #expect(try server.get("/host") == "node7")
            try server.run.stop()
        }

        @Test func `reaches nothing on this host`() throws {
            let listener = try LoopbackSocket.listen(port: 0)
            let port = try LoopbackSocket.port(of: listener)
            let server = try fixture.start()
            #expect(try server.get("/reach/\(port)") == "no")
            #expect(try server.get("/reach/8080") == "yes")
            try server.run.stop()
        }

        @Test func `shares the network where that is asked for`() throws {
            let port = try LoopbackSocket.freePort()
            let listener = try LoopbackSocket.listen(port: 0)
            let run = try fixture.program.start(
                ["start", "--at", "latest", "--unsafe-shared-network", "--server-port", "\(port)", "--", fixture.server, "\(port)"], until: "ready")
            #expect(try HTTP.get("/reach/\(LoopbackSocket.port(of: listener))", port: port) == "yes")
            #expect(try HTTP.get("/environment", port: port).contains("CLUSTER_GOSSIP_BIND_PORT="))
            #expect(try HTTP.get("/environment", port: port).contains("GRPC_PORT="))
            #expect(try self.run("--unsafe-shared-network", "--server-port", "\(port)", command: ["true"]).error.contains("is in use"))
            try run.stop()
        }

        @Test func `runs beside another, and at the data directory's own path`() throws {
            let one = try fixture.start("--mount-at", "data")
            let other = try fixture.start()
            #expect(one.port != other.port)
            _ = try one.get("/write/a/one")
            _ = try other.get("/write/a/other")
            #expect(try one.get("/read/a") == "one")
            #expect(try other.get("/read/a") == "other")
            #expect(try one.get("/environment").contains("PERSISTENCE_DATA_PATH=\(folder.path("data"))\n"))
            #expect(try folder.read("data/a") == Array("present".utf8))
            try one.run.stop()
            try other.run.stop()
        }

        @Test func `goes on with the changes that it kept`() throws {
            let first = try fixture.start("--overlay", "kept")
            _ = try first.get("/write/a/changed")
            #expect(try run("--overlay", "kept", command: ["true"]).code == 11)
            try first.run.stop()
            let second = try fixture.start("--overlay", "kept")
            #expect(try second.get("/read/a") == "changed")
            try second.run.child.kill(SIGKILL)
            let third = try eventuallyStarted("--overlay", "kept")
            #expect(try third.get("/read/a") == "changed")
            try third.run.stop()
        }

        /// The killed one's lock goes a moment after it.
        private func eventuallyStarted(_ options: String...) throws -> StartFixture.Running {
            #expect(eventually { (try? processes().isEmpty) ?? false })
            return try fixture.start(options[0], options[1])
        }

        @Test func `leaves nothing when it is killed`() throws {
            let server = try fixture.start(command: ["sh", "-c", "\(fixture.server) 8080 stubborn fork; true"])
            #expect(try processes().count >= 4)
            try server.run.child.kill(SIGKILL)
            #expect(eventually { (try? processes().isEmpty) ?? false })
            #expect(eventually { (try? folder.names(in: "state/overlays")) == [] })
            #expect(try !String(decoding: SystemCall.readAll(path: "/proc/self/mountinfo"), as: UTF8.self).contains(folder.path))
        }

        @Test func `ends a server in order, also one that a shell started`() throws {
            let server = try fixture.start(command: ["sh", "-c", "\(fixture.server) 8080 fork; true"])
            try server.run.child.kill(SIGTERM)
            // The forked child does not listen: killed when the time is over.
            #expect(eventually { access(folder.path("ended"), F_OK) == 0 })
            try server.run.child.kill(SIGKILL)
            #expect(eventually { (try? processes().isEmpty) ?? false })
        }

        @Test func `kills a server that does not end in time`() throws {
            let server = try fixture.start("--stop-timeout", "300ms", command: [fixture.server, "8080", "stubborn"])
            let start = ContinuousClock.now
            try server.run.child.kill(SIGTERM)
            #expect(try server.run.child.wait() == .exited(137))
            #expect(.now - start >= .milliseconds(290))
            #expect(try processes().isEmpty)
        }

        @Test func `says what hinders it`() throws {
            let listener = try LoopbackSocket.listen(port: 0)
            let taken = try run("--port", "\(LoopbackSocket.port(of: listener))", command: [fixture.server, "8080"])
            #expect(taken.code == 1 && taken.error.contains("is in use"), "\(taken)")
            #expect(try run(command: ["nosuch-command"]).code == 127)
            let early = try run(command: ["sh", "-c", "exit 5"])
            #expect(early.code == 5 && early.error.contains("ended before it was ready (exit code 5)"), "\(early)")
            #expect(try run(command: ["true"]).code == 1)
            let late = try run("--ready-timeout", "400ms", "--server-port", "8080", command: [fixture.server, "8080", "never-ready"])
            #expect(late.code == 75 && late.error.contains("not ready after 400ms"), "\(late)")
            #expect(try fixture.program.run("start", "--at", "latest").code == 64)
            #expect(try processes().isEmpty)
            #expect(try folder.names(in: "state/overlays").isEmpty)
        }

        @Test func `takes a connection for an answer where there is no path to ask`() throws {
            let server = try fixture.start("--ready-path", "", command: [fixture.server, "8080", "never-ready"])
            #expect(try server.get("/read/a") == "a")
            try server.run.stop()
        }

        @Test func `hands the gRPC port on`() throws {
            let port = try LoopbackSocket.freePort()
            fixture.program.variables = ["GRPC_PORT=8080"]
            let server = try fixture.start("--grpc-port", "\(port)")
            #expect(server.announcement.contains(#""grpc":"127.0.0.1:\#(port)""#))
            #expect(try HTTP.get("/read/a", port: port) == "a")
            try server.run.stop()
        }

        @Test func `takes the node's name from the data directory`() throws {
            try SystemCall.makeDirectory(folder.path("data/raft"), mode: 0o755)
            let entry = [0x83, 0xA7] + Array("Address".utf8) + [0xAE] + Array("127.0.0.1:8300".utf8) + [0xA2] + Array("ID".utf8) + [0xA6]
                + Array("node42".utf8) + [0xA8] + Array("Suffrage".utf8) + [0]
            try folder.write("data/raft/raft.db", [UInt8](repeating: 0, count: 5000) + entry.map { UInt8($0) })
            #expect(try fixture.program.run("follow", "--once", "--no-stop", "data").code == 0)
            let server = try fixture.start()
            #expect(try server.get("/host") == "node42")
            try server.run.stop()
        }
    }
}
