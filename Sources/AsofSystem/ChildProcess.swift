package import AsofCore
internal import CLinux
internal import Glibc

/// A child started by `posix_spawn`; never by `fork`, after which a process with threads may do next to nothing.
package final class ChildProcess: Sendable {
    package let pid: Int32
    /// Nil while it runs or nobody has waited for it.
    private let ended = Lock<Outcome?>(nil)

    /// How a process ended.
    package enum Outcome: Hashable, Sendable {
        case exited(Int32)
        case signalled(Int32)
    }

    /// What one of the child's first three descriptors is.
    package enum Stream: Hashable, Sendable {
        case inherited
        /// `/dev/null`.
        case null
        /// A duplicate of this one of ours.
        case descriptor(Int32)
    }

    /// An open descriptor of ours that the child gets under a number of its own.
    package struct Inheritance: Hashable, Sendable {
        package var source: Int32
        /// Below 1024.
        package var target: Int32

        package init(source: Int32, target: Int32) {
            self.source = source
            self.target = target
        }
    }

    private init(pid: Int32) { self.pid = pid }

    /// Starts `executable` (a path; nothing is searched). It gets the three streams and `descriptors` and no other descriptor, no
    /// blocked signal, and every signal at its default.
    ///
    /// - Parameters:
    ///   - arguments: with the program's name as the first.
    ///   - environment: `NAME=value`; nil: ours.
    ///   - directory: where it starts; nil: where we are.
    ///   - newSession: without our terminal and out of our process group.
    package static func spawn(
        _ executable: String, arguments: [String], environment: [String]? = nil, input: Stream = .null,
        output: Stream = .inherited, error: Stream = .inherited, descriptors: [Inheritance] = [],
        directory: String? = nil, newSession: Bool = false
    ) throws(Errno) -> ChildProcess {
        let null = try SystemCall.open("/dev/null", O_RDWR)
        var sources: [Int32] = []
        var targets: [Int32] = []
        for (target, stream) in [input, output, error].enumerated() {
            switch stream {
            case .inherited: sources.append(Int32(target))
            case .null: sources.append(null.raw)
            case .descriptor(let raw): sources.append(raw)
            }
            targets.append(Int32(target))
        }
        // A later pair wins, so that a caller may replace a stream.
        sources += descriptors.map(\.source)
        targets += descriptors.map(\.target)
        for text in [executable] + arguments + (environment ?? []) + [directory ?? ""] where text.utf8.contains(0) {
            throw Errno(EINVAL)
        }
        let argv = CStringArray(arguments)
        let envp = environment.map { CStringArray($0) }
        var pid: Int32 = 0
        let code = executable.withCString { executable in
            withOptionalCString(directory) { directory in
                var request = asof_spawn_request()
                request.executable = executable
                request.arguments = UnsafePointer(argv.pointers)
                request.environment = envp.map { UnsafePointer($0.pointers) } ?? UnsafePointer(environ)
                request.directory = directory
                request.pair_count = sources.count
                request.new_session = newSession ? 1 : 0
                return sources.withUnsafeBufferPointer { sources in
                    targets.withUnsafeBufferPointer { targets in
                        request.sources = sources.baseAddress
                        request.targets = targets.baseAddress
                        return asof_spawn(&request, &pid)
                    }
                }
            }
        }
        withExtendedLifetime((argv, envp)) {}
        _ = consume null
        guard code == 0 else { throw Errno(code) }
        return ChildProcess(pid: pid)
    }

    /// Waits for the end. Calling it again, from any thread, gives the same answer.
    @discardableResult
    package func wait() throws(Errno) -> Outcome {
        // Waits without reaping and without the lock, so that `kill` and `poll` go on meanwhile.
        var information = siginfo_t()
        while ended.withLock({ $0 }) == nil {
            do throws(Errno) {
                _ = try SystemCall.checked { waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) }
            } catch {
                // Another thread reaped it in between.
                if error.rawValue == ECHILD, let outcome = ended.withLock({ $0 }) { return outcome }
                throw error
            }
            if let outcome = try poll() { return outcome }
        }
        return try poll() ?? .exited(0)
    }

    /// How it ended; nil while it runs.
    package func poll() throws(Errno) -> Outcome? {
        try ended.withLock { (ended) throws(Errno) in
            if let ended { return ended }
            var status: Int32 = 0
            guard try SystemCall.checked({ waitpid(pid, &status, WNOHANG) }) == pid else { return nil }
            let signal = status & 0x7F
            let outcome: Outcome = signal == 0 ? .exited(status >> 8 & 0xFF) : .signalled(signal)
            ended = outcome
            return outcome
        }
    }

    /// Waits for the end at most for `timeout`; nil: it still runs.
    package func wait(timeout: Duration) throws(Errno) -> Outcome? {
        let deadline = ContinuousClock.now + timeout
        while true {
            if let outcome = try poll() { return outcome }
            if ContinuousClock.now >= deadline { return nil }
            SystemClock.sleep(.milliseconds(2))
        }
    }

    /// Sends a signal; does nothing when the child has ended (its number may belong to another by then).
    package func kill(_ signal: Int32 = SIGTERM) throws(Errno) {
        try ended.withLock { (ended) throws(Errno) in
            if ended == nil { _ = try SystemCall.checked { Glibc.kill(pid, signal) } }
        }
    }

    /// Lets the kernel end the calling process with SIGKILL when the thread that started it ends; ESRCH where `parent` is gone
    /// already.
    package static func dieWithParent(_ parent: Int32) throws(Errno) {
        _ = try SystemCall.checked { asof_die_with_parent(SIGKILL, parent) }
    }
}

/// A NULL-terminated array of C strings, as `execve` takes it.
private final class CStringArray {
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    init(_ strings: [String]) {
        count = strings.count
        pointers = .allocate(capacity: strings.count + 1)
        for (index, string) in strings.enumerated() { (pointers + index).initialize(to: strdup(string)) }
        (pointers + strings.count).initialize(to: nil)
    }

    deinit {
        for index in 0..<count { free(pointers[index]) }
        pointers.deallocate()
    }
}

private func withOptionalCString<R>(_ string: String?, _ body: (UnsafePointer<CChar>?) -> R) -> R {
    guard let string else { return body(nil) }
    return string.withCString(body)
}
