internal import AsofCore
internal import CLinux
internal import Glibc

/// A small process of ours that lets the stopped ones go when we cannot: when we have died, or have held a stop too long.
///
/// SIGSTOP and a frozen cgroup outlive whoever made them, so the ways that use them need it. It is our own program in an internal
/// mode, in a session of its own, with its memory locked and, where allowed, out of the reach of the out-of-memory killer. It
/// ignores the signals that end programs politely and ends when our end of its socket closes. It moves to the root cgroup where that is
/// allowed: whoever kills our cgroup does not kill it, and lets the stopped ones go by that.
///
/// What it cannot promise: where both of us are killed at once (it could not leave our cgroup, and a `cgroup.kill`, a container that is
/// removed or a kernel out of memory takes all of that), the stopped processes stay stopped until the next start finds the `StopNote`.
/// ptrace has no such hole.
package final class StopWatchdog {
    /// The word in front of the program's arguments that makes it a watchdog.
    package static let word = "internal-stop-watchdog"

    /// What lets the stopped ones go.
    enum Release {
        /// SIGCONT through these pidfds.
        case signals([Int32])
        /// `0` into this cgroup.freeze.
        case cgroup(Int32)
        /// Waking our own process, by its pidfd: stopped by somebody inside a stop by ptrace, it lets nobody go. Where waking does not help, it is
        /// killed, and the kernel lets go.
        case tracer(Int32)
    }

    private let child: ChildProcess
    private let socket: SharedDescriptor
    private let page: OpaquePointer

    /// Starts it from `executable`, whose `main` calls `runIfAsked`, and waits until it is ready.
    init(_ release: Release, executable: String) throws(StopFailure) {
        var page: OpaquePointer?
        let file = asof_watch_make(&page)
        guard file >= 0, let page else { throw .noWatchdog(Errno(errno)) }
        let memory = SharedDescriptor(taking: file)
        do throws(Errno) {
            let (ours, theirs) = try Self.makeSocketPair()
            var inherited: [ChildProcess.Inheritance] = [
                .init(source: theirs.unmanaged, target: 3), .init(source: memory.unmanaged, target: 4),
            ]
            let mode: String
            let targets: [Int32]
            switch release {
            case .signals(let descriptors): (mode, targets) = ("signal", descriptors)
            case .cgroup(let descriptor): (mode, targets) = ("cgroup", [descriptor])
            case .tracer(let descriptor): (mode, targets) = ("tracer", [descriptor])
            }
            for target in targets { inherited.append(.init(source: target, target: 3 + Int32(inherited.count))) }
            child = try ChildProcess.spawn(
                executable, arguments: ["asof", Self.word, mode, String(targets.count)], output: .null, error: .null,
                descriptors: inherited, directory: "/", newSession: true)
            socket = ours
            self.page = page
        } catch {
            asof_watch_free(page)
            throw .noWatchdog(error)
        }
        guard isReady() else { throw .noWatchdog(Errno(ETIMEDOUT)) }
        moveAway()
    }

    /// It lives in another cgroup than we, so that who kills ours does not kill it.
    private(set) var isElsewhere = false

    private func moveAway() {
        guard let ours = FreezerCgroup.path(of: getpid()), let root = Self.rootCgroup else { return }
        if ours != "/", let members = try? SystemCall.open(root + "/cgroup.procs", O_WRONLY) {
            // Refused in most containers.
            try? SystemCall.writeFully(members.raw, Array(String(child.pid).utf8))
        }
        isElsewhere = ours == "/" || FreezerCgroup.path(of: child.pid) != ours
    }

    /// The machine's root cgroup; nil where ours is only the root of a namespace, which can be killed like any other.
    private static var rootCgroup: String? {
        guard let root = FreezerCgroup.directory(of: "/"), access(root + "/cgroup.type", F_OK) != 0 else { return nil }
        return root
    }

    /// Whether a watchdog may move out of our cgroup.
    static var canLiveElsewhere: Bool {
        guard let ours = FreezerCgroup.path(of: getpid()), let root = rootCgroup else { return false }
        return ours == "/" || access(root + "/cgroup.procs", W_OK) == 0
    }

    deinit {
        // The end of its life: it lets go of what is stopped, if anything is, and ends.
        _ = shutdown(socket.unmanaged, Int32(SHUT_RDWR))
        if (try? child.wait(timeout: .seconds(2))) == nil {
            try? child.kill(SIGKILL)
            _ = try? child.wait()
        }
        asof_watch_free(page)
    }

    /// For messages and tests.
    package var pid: Int32 { child.pid }

    /// Before a stop: from now on it lets go after `hold`. Throws where it has died: then nothing may be stopped.
    func arm(hold: Duration) throws(StopFailure) {
        if asof_watch_arm(page, socket.unmanaged, hold.stopNanoseconds) != 0 { throw .noWatchdog(Errno(errno)) }
    }

    enum Verdict {
        /// It had nothing to do.
        case held
        /// It had let go before.
        case letGo
        /// It has begun to let go and does not get there: it must not live on, or it would undo the next stop.
        case stuck
    }

    /// After letting go ourselves.
    func disarm() -> Verdict {
        switch asof_watch_disarm(page, socket.unmanaged) {
        case 1: .held
        case 0: .letGo
        default: .stuck
        }
    }

    /// Ends it at once.
    func kill() { try? child.kill(SIGKILL) }

    private func isReady() -> Bool {
        guard (try? SystemCall.waitReadable(socket.unmanaged, until: ContinuousClock.now + .seconds(5))) == true else { return false }
        var byte: UInt8 = 0
        return recv(socket.unmanaged, &byte, 1, 0) == 1 && byte == UInt8(ascii: "k")
    }

    private static func makeSocketPair() throws(Errno) -> (SharedDescriptor, SharedDescriptor) {
        var ends: [Int32] = [-1, -1]
        _ = try ends.withUnsafeMutableBufferPointer { (ends) throws(Errno) in
            try SystemCall.checked {
                socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, ends.baseAddress)
            }
        }
        return (SharedDescriptor(taking: ends[0]), SharedDescriptor(taking: ends[1]))
    }

    /// Runs the watchdog where the program's arguments (without its name) ask for it, and returns its exit code at the end of its
    /// life; nil: they do not. For `main`, before anything else: it needs no other thread and no other memory.
    package static func runIfAsked(_ arguments: [String]) -> Int32? {
        guard arguments.first == word else { return nil }
        guard arguments.count == 3, let mode = ["signal", "cgroup", "tracer"].firstIndex(of: arguments[1]), let count = Int32(arguments[2]), count >= 1,
            count <= 512
        else { return 2 }
        let targets = (0..<count).map { 5 + $0 }
        return asof_watchdog_run(3, 4, Int32(mode), targets, targets.count)
    }
}
