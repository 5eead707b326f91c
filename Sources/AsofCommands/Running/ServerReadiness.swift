internal import AsofCore
internal import AsofSystem
internal import Glibc

/// Asks a starting server whether it is ready, on a thread of its own in the server's network.
final class ServerReadiness: Sendable {
    enum State: Sendable {
        case starting
        case ready(Duration)
        case late
    }

    private let state = Lock(State.starting)
    private let isEnding = Flag()
    private let thread = Lock<NamedThread?>(nil)

    /// `path` nil: a connection is enough. `network` nil: this host's.
    init(port: UInt16, path: String?, timeout: Duration, network: SharedDescriptor?, since start: ContinuousClock.Instant) throws(Errno) {
        let (state, isEnding) = (state, isEnding)
        let made = try NamedThread("asof-ready") {
            if let network { guard (try? Namespaces.enterNetwork(network)) != nil else { return } }
            var pause: Duration = .milliseconds(20)
            while !isEnding.isSet {
                if Self.isReady(port, path) { return state.withLock { $0 = .ready(.now - start) } }
                guard .now - start < timeout else { return state.withLock { $0 = .late } }
                SystemClock.sleep(pause)
                // Often at first, then with less noise in the server's log.
                pause = min(pause * 1.2, .milliseconds(500))
            }
        }
        thread.withLock { $0 = made }
    }

    var now: State { state.withLock { $0 } }

    func stop() {
        isEnding.set()
        thread.withLock { $0 }?.join()
    }

    private static func isReady(_ port: UInt16, _ path: String?) -> Bool {
        guard let socket = try? LoopbackSocket.connect(port: port, timeout: .seconds(2)) else { return false }
        guard let path else { return true }
        let deadline = ContinuousClock.now + .seconds(5)
        let request = Array("GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n\r\n".utf8)
        let raw = socket.unmanaged
        // A request of this size fits into an empty socket.
        guard send(raw, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else { return false }
        var answer: [UInt8] = []
        while answer.count < 13 {
            guard (try? SystemCall.waitReadable(raw, until: deadline)) == true else { return false }
            var piece = [UInt8](repeating: 0, count: 512)
            let count = recv(raw, &piece, piece.count, 0)
            guard count > 0 else { return false }
            answer += piece.prefix(count)
        }
        return answer.starts(with: "HTTP/1.".utf8) && answer[8...].starts(with: " 200 ".utf8)
    }
}
