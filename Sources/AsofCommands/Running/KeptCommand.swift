internal import AsofCore
internal import AsofRepository
internal import AsofSystem
internal import Glibc

/// A command that sees the mount, under its keeper.
///
/// The keeper (`internal-keep`) is a process between asof and the command. It makes the namespaces that only the command needs; it is the first
/// process of the process namespace, so that the kernel ends everything that the command started when it ends; and it holds the end
/// of a pipe that tells it when asof has died, however that happened: it then kills the command and removes the changes that nobody needs.
final class KeptCommand: Sendable {
    struct Surroundings {
        /// With a name come a host name, mounts and processes of its own.
        var hostName: String?
        var hasOwnNetwork = false
        /// To be removed when asof has died.
        var temporaryOverlay: String?
        /// Nil: ours.
        var environment: [String]
        var output = ChildProcess.Stream.inherited
    }

    let keeper: ChildProcess
    private let lifeline: Lifeline

    /// Starts the command; returns when all is there and it is about to run.
    init(_ command: [String], _ surroundings: Surroundings) throws(AsofError) {
        // By its name, so that the command finds the past where the mount covers it.
        var arguments = ["asof", "internal-keep", "--directory", WorkingDirectory.path ?? "/"]
        if let name = surroundings.hostName { arguments += ["--host-name", name] }
        if surroundings.hasOwnNetwork { arguments.append("--own-network") }
        if PrivateMounts.isForUserAlone { arguments.append("--drop-capabilities") }
        if let overlay = surroundings.temporaryOverlay { arguments += ["--overlay", overlay] }
        let report: ReadyPipe.Report
        do throws(Errno) {
            lifeline = try Lifeline()
            var pipe = try ReadyPipe()
            keeper = try Self.spawn(arguments + ["--"] + command, [pipe.inheritance, lifeline.inheritance], surroundings)
            report = try pipe.wait(timeout: .seconds(60))
        } catch {
            throw AsofError(error, "cannot start the keeper of the command")
        }
        switch report {
        case .ready: return
        case .failed(let text):
            _ = try? keeper.wait()
            throw (try? JSONText.decode(Console.Failure.self, Array(text.utf8), name: ""))?.failure ?? AsofError(.failure, text)
        case .silent, .timedOut:
            try? keeper.kill(SIGKILL)
            _ = try? keeper.wait()
            throw AsofError(.failure, "the keeper of the command ended without a word")
        }
    }

    /// The command's exit code as a shell says it; nil while it runs.
    func exitCode() -> Int32? {
        switch try? keeper.poll() {
        case nil: nil
        case .exited(let code): code
        case .signalled(let signal): 128 + signal
        }
    }

    /// Hands a signal on that a process sent to us. What the terminal sent the command has got itself.
    func relay(_ received: SignalWaiter.Received) {
        guard received.signal != SIGCHLD, received.isFromProcess else { return }
        try? keeper.kill(received.signal)
    }

    /// A process namespace belongs to whoever is started next by the thread that made it, and that thread can start no threads any more: so it is one
    /// of its own.
    private static func spawn(
        _ arguments: [String], _ descriptors: [ChildProcess.Inheritance], _ surroundings: Surroundings
    ) throws(Errno) -> ChildProcess {
        let outcome = Lock<Result<ChildProcess, Errno>?>(nil)
        let (needsProcesses, environment, output) = (surroundings.hostName != nil, surroundings.environment, surroundings.output)
        let thread = try NamedThread("asof-spawn") {
            let result = Result { () throws(Errno) -> ChildProcess in
                if needsProcesses { try Namespaces.leave(.processes) }
                return try ChildProcess.spawn(
                    "/proc/self/exe", arguments: arguments, environment: environment, input: .inherited, output: output, error: .inherited,
                    descriptors: descriptors)
            }
            outcome.withLock { $0 = result }
        }
        thread.join()
        guard let result = outcome.withLock({ $0 }) else { throw Errno(EAGAIN) }
        return try result.get()
    }
}
