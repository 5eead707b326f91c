internal import AsofCommandLine
internal import AsofCore
internal import AsofSystem
internal import Glibc

/// A server from its start to its end.
struct RunningServer {
    /// What is told of a server that answers.
    struct Facts: Encodable {
        var url: String
        var grpc: String?
        var lsn: UInt64
        var time: String
        var seconds: Double
        /// Of asof: a signal to it ends all.
        var pid: Int32
        /// Nil: the changes go with the server.
        var overlay: String?
    }

    let kept: KeptCommand
    let readiness: ServerReadiness
    let facts: Facts
    let readyTimeout: String
    let stopTimeout: Duration

    /// Until the server has ended. Its exit code.
    func supervise(_ signals: SignalWaiter, _ invocation: Invocation) throws(AsofError) -> Int32 {
        var isReady = false
        var failure: AsofError?
        /// When it is killed.
        var deadline: ContinuousClock.Instant?
        while true {
            if let code = kept.exitCode() {
                if let failure { throw failure }
                return isReady || deadline != nil ? code : Self.codeBeforeReady(code)
            }
            switch readiness.now {
            case .ready(let duration) where !isReady:
                isReady = true
                try announce(duration, invocation)
            case .late where failure == nil:
                failure = AsofError(
                    .unavailable, "the server is not ready after \(readyTimeout): it was stopped",
                    hint: "what it says is above; --ready-timeout gives it more time, --ready-path and --server-port say what to ask")
                try? kept.keeper.kill(SIGTERM)
                deadline = .now + stopTimeout
            default: break
            }
            if let deadline, .now >= deadline { try? kept.keeper.kill(SIGKILL) }
            // The end of the server wakes us as well.
            let isSettled = (isReady || failure != nil) && deadline == nil
            guard let received = try? signals.receive(timeout: isSettled ? nil : .milliseconds(50)) else { continue }
            kept.relay(received)
            if received.signal != SIGCHLD, deadline == nil { deadline = .now + stopTimeout }
        }
    }

    /// Of a server that ended by itself before it was ready: never 0, since nothing was served.
    static func codeBeforeReady(_ code: Int32) -> Int32 {
        if code != 126, code != 127 { Console.note("the server ended before it was ready (exit code \(code))") }
        return code == 0 ? AsofError.Code.failure.rawValue : code
    }

    private func announce(_ duration: Duration, _ invocation: Invocation) throws(AsofError) {
        var facts = facts
        facts.seconds = (duration / .milliseconds(1)).rounded() / 1000
        if invocation.flag("json") { return try Console.json(facts) }
        let grpc = facts.grpc.map { ", gRPC at \($0)" } ?? ""
        let tenths = Int((facts.seconds * 10).rounded(.up))
        Console.line("ready in \(tenths / 10).\(tenths % 10) s at \(facts.url)\(grpc): the directory as of \(facts.time) (lsn:\(facts.lsn))")
    }
}
