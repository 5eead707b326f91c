package import AsofCore
package import AsofRepository
internal import AsofSystem

/// A capture that other commands on this host can ask.
package protocol RunningCapture: AnyObject, Sendable {
    var status: RecorderStatus { get }
    /// Seals and archives everything that was acknowledged before the call. Returns the head then.
    func sealNow(timeout: Duration) throws(AsofError) -> Head
}

extension Recorder: RunningCapture {}
extension Follower: RunningCapture {}

/// Answers other commands on this host: one line of JSON for one line.
///
///     status → RecorderStatus      seal → {"lsn":…,"time":"…"}      anything that fails → {"error":"…","hint":"…","code":…}
package final class ControlServer: Sendable {
    private let thread: NamedThread

    package init(_ recorder: any RunningCapture, spool: Spool, until shouldStop: @escaping @Sendable () -> Bool) throws(AsofError) {
        do throws(Errno) {
            let listener = try UnixListener(path: spool.controlSocket)
            thread = try NamedThread("asof-control") {
                while !shouldStop() {
                    try? listener.serve(until: shouldStop) { connection in
                        // Each on a thread of its own: a seal that waits for the store must not keep `status` from answering.
                        _ = try NamedThread("asof-control-1") { Self.serve(connection, recorder) }
                    }
                }
            }
        } catch {
            throw AsofError(error, "cannot listen at \(spool.controlSocket)")
        }
    }

    package func join() { thread.join() }

    private static func serve(_ connection: UnixConnection, _ recorder: any RunningCapture) {
        guard let line = try? connection.readLine(timeout: .seconds(5)) else { return }
        let answer: [UInt8]
        do throws(AsofError) {
            switch line {
            case "status": answer = try JSONText.encode(recorder.status)
            case "seal":
                let head = try recorder.sealNow(timeout: .seconds(60))
                answer = try JSONText.encode(ControlClient.Sealed(lsn: head.lastExact.rawValue, time: head.exactUntil.description))
            default: throw AsofError(.usage, "the recorder does not know the request \(line)", hint: "is it of another release?")
            }
        } catch {
            let refused = ControlClient.Refusal(error: error.message, hint: error.hint, code: error.code.rawValue)
            answer = (try? JSONText.encode(refused)) ?? []
        }
        try? connection.writeLine(String(decoding: answer, as: UTF8.self), timeout: .seconds(5))
    }
}

/// Asks the capture that runs on this host for a repository and timeline.
package struct ControlClient: Sendable {
    package struct Sealed: Codable, Sendable {
        package var lsn: UInt64
        package var time: String
    }

    struct Refusal: Codable {
        var error: String
        var hint: String?
        var code: Int32
    }

    private let path: String

    package init(spool: Spool) { path = spool.controlSocket }

    /// Nil: no capture runs here.
    package func status() throws(AsofError) -> RecorderStatus? { try ask("status", as: RecorderStatus.self) }

    /// Asks to seal and archive what was acknowledged until now. Nil: no capture runs here.
    package func seal() throws(AsofError) -> Sealed? { try ask("seal", as: Sealed.self) }

    private func ask<Answer: Decodable>(_ request: String, as type: Answer.Type) throws(AsofError) -> Answer? {
        let line: String?
        do throws(Errno) {
            guard let connection = try? UnixSocket.connect(path: path) else { return nil }
            try connection.writeLine(request, timeout: .seconds(5))
            line = try connection.readLine(timeout: .seconds(90))
        } catch {
            throw AsofError(error, "the running capture does not answer at \(path)")
        }
        guard let line else { throw AsofError(.unavailable, "the running capture ended while it was asked", hint: "try again") }
        let bytes = Array(line.utf8)
        if let refusal = try? JSONText.decode(Refusal.self, bytes, name: path) {
            throw AsofError(AsofError.Code(rawValue: refusal.code) ?? .failure, refusal.error, hint: refusal.hint)
        }
        return try JSONText.decode(type, bytes, name: "the answer of the running capture")
    }
}
