import AsofSystem
import AsofTestSupport
import Glibc
import Testing

/// A past to start servers on, and `Tests/Fixtures/past-server.c` to start.
struct StartFixture {
    let program: ProgramFixture
    let server: String

    init() throws {
        program = try ProgramFixture()
        server = program.folder.path("past-server")
        let source = #filePath.split(separator: "/").dropLast(2).map { "/" + $0 }.joined() + "/Fixtures/past-server.c"
        let compiling = try ChildProcess.spawn("/usr/bin/cc", arguments: ["cc", "-O1", "-o", server, source])
        try #require(try compiling.wait() == .exited(0))
        try program.capture("a")
        try program.folder.write("data/a", Array("present".utf8))
    }

    /// A server that has said that it is ready, and its port.
    func start(_ options: String..., command: [String]? = nil) throws -> Running {
        let arguments = ["start", "--at", "lsn:\(try lsn())", "--json", "--server-port", "8080"] + options + ["--"] + (command ?? [server, "8080"])
        let run = try program.start(arguments, until: "url")
        let output = try run.output()
        let port = output.split(separator: "127.0.0.1:").dropFirst().first?.prefix { $0.isNumber }
        return Running(run: run, port: try #require(port.flatMap { UInt16($0) }, "\(output)"), announcement: output)
    }

    func lsn() throws -> String {
        let window = try program.run("window", "--json").output
        let number = window.split(separator: "\"lsn\":").last?.prefix { $0.isNumber }
        return String(try #require(number, "\(window)"))
    }

    struct Running {
        let run: ProgramFixture.Capture
        let port: UInt16
        let announcement: String

        func get(_ path: String) throws -> String { try HTTP.get(path, port: port) }
    }
}

enum HTTP {
    /// The body of the answer.
    static func get(_ path: String, port: UInt16) throws -> String {
        let socket = try LoopbackSocket.connect(port: port, timeout: .seconds(5))
        try SystemCall.writeFully(socket.unmanaged, Array("GET \(path) HTTP/1.1\r\n\r\n".utf8))
        var answer: [UInt8] = []
        while true {
            try #require(try SystemCall.waitReadable(socket.unmanaged, until: .now + .seconds(10)))
            var piece = [UInt8](repeating: 0, count: 65_536)
            let count = recv(socket.unmanaged, &piece, piece.count, 0)
            if count <= 0 { break }
            answer += piece.prefix(count)
        }
        let text = String(decoding: answer, as: UTF8.self)
        return text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false).dropFirst().first.map(String.init) ?? text
    }
}
