import AsofCore
import AsofSystem
import Glibc
import Testing

@Suite("Handing connections on")
struct PortForwarderTests {
    private let listener: SharedDescriptor
    private let forwarder: PortForwarder

    init() throws {
        listener = try LoopbackSocket.listen(port: 0)
        forwarder = try PortForwarder(port: 0)
        try forwarder.start(to: LoopbackSocket.port(of: listener), in: nil)
    }

    private func readAll(_ socket: SharedDescriptor) throws -> [UInt8] {
        var result: [UInt8] = []
        while true {
            try #require(try SystemCall.waitReadable(socket.unmanaged, until: .now + .seconds(20)))
            var piece = [UInt8](repeating: 0, count: 65_536)
            let count = recv(socket.unmanaged, &piece, piece.count, 0)
            if count <= 0 { return result }
            result += piece.prefix(count)
        }
    }

    private func writeAll(_ bytes: [UInt8], to socket: SharedDescriptor) throws {
        var done = 0
        while done < bytes.count {
            try #require(try SystemCall.waitWritable(socket.unmanaged, until: .now + .seconds(20)))
            let count = bytes[done...].withUnsafeBytes { send(socket.unmanaged, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count < 0, errno == EAGAIN { continue }
            try #require(count > 0)
            done += count
        }
        shutdown(socket.unmanaged, Int32(SHUT_WR))
    }

    @Test(.timeLimit(.minutes(2)))
    func `carries everything both ways, and an end of one way alone`() throws {
        defer { forwarder.stop() }
        let there = (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        let back = [UInt8](there.reversed())
        let client = try LoopbackSocket.connect(port: forwarder.port, timeout: .seconds(5))
        let server = try #require(try LoopbackSocket.accept(listener, timeout: .seconds(5)))
        let writer = try NamedThread("test-writer") { try? writeAll(there, to: client) }
        // The answer begins when the question has ended, as with HTTP/1.0.
        #expect(try readAll(server) == there)
        writer.join()
        let answer = try NamedThread("test-answer") { try? writeAll(back, to: server) }
        #expect(try readAll(client) == back)
        answer.join()
    }

    @Test(.timeLimit(.minutes(2)))
    func `serves many at a time, and a slow one holds nobody up`() throws {
        defer { forwarder.stop() }
        let slow = try LoopbackSocket.connect(port: forwarder.port, timeout: .seconds(5))
        _ = try #require(try LoopbackSocket.accept(listener, timeout: .seconds(5)))
        for number in 0..<20 {
            let client = try LoopbackSocket.connect(port: forwarder.port, timeout: .seconds(5))
            let server = try #require(try LoopbackSocket.accept(listener, timeout: .seconds(5)))
            try writeAll([UInt8(number)], to: client)
            #expect(try readAll(server) == [UInt8(number)])
        }
        withExtendedLifetime(slow) {}
    }

    @Test func `ends a connection that nobody takes`() throws {
        let port = try LoopbackSocket.freePort()
        let lonely = try PortForwarder(port: 0)
        try lonely.start(to: port, in: nil)
        let client = try LoopbackSocket.connect(port: lonely.port, timeout: .seconds(5))
        #expect(try readAll(client).isEmpty)
        lonely.stop()
        forwarder.stop()
        #expect(throws: Errno(EADDRINUSE)) { try PortForwarder(port: LoopbackSocket.port(of: listener)) }
    }
}
