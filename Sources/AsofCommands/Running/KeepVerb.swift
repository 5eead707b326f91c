internal import AsofCommandLine
internal import AsofCore
internal import AsofOverlay
internal import AsofRepository
internal import AsofSystem
internal import Glibc

/// The hidden verb between asof and a command: see `KeptCommand`.
enum KeepVerb {
    static func run(_ invocation: Invocation) -> Int32 {
        let signals: SignalWaiter
        let command: ChildProcess
        do throws(AsofError) {
            do throws(Errno) {
                signals = try SignalWaiter(blocking: [SIGINT, SIGTERM, SIGHUP, SIGCHLD])
            } catch { throw AsofError(error, "cannot block signals") }
            try enter(invocation)
            ReadyPipe.report()
            command = try start(invocation)
        } catch {
            ReadyPipe.report(failure: String(decoding: (try? JSONText.encode(Console.Failure(error))) ?? [], as: UTF8.self))
            return error.code.rawValue
        }
        // asof's end is the command's, and that of all it started where they are ours alone.
        let isFirst = getpid() == 1
        _ = try? NamedThread("asof-lifeline", stackSize: 256 << 10) {
            Lifeline.waitUntilCut()
            if isFirst { Glibc.kill(-1, SIGKILL) } else { try? command.kill(SIGKILL) }
        }
        let code = wait(for: command, signals)
        if let overlay = invocation.value("overlay"), Lifeline.isCut { sweep(overlay) }
        return code
    }

    /// Makes the command's surroundings.
    private static func enter(_ invocation: Invocation) throws(AsofError) {
        if let name = invocation.value("host-name") {
            do throws(Errno) {
                try Namespaces.leaveMounts()
                try Namespaces.leave(.hostName)
                try Namespaces.setHostName(name)
                // Where a container has covered parts of /proc it allows no new one; the old one shows the host's processes then.
                try? Namespaces.mountProcesses()
            } catch { throw AsofError(error, "cannot give the command namespaces of its own") }
            if invocation.flag("own-network") { try enterNetwork(hostName: name) }
        }
        guard let directory = invocation.value("directory") else { return }
        guard chdir(directory) == 0 else {
            throw AsofError(Errno(errno), "the command cannot start in \(directory)", hint: "that folder was not there then: start asof from another one")
        }
    }

    private static func enterNetwork(hostName: String) throws(AsofError) {
        do throws(Errno) {
            try Namespaces.leave(.network)
            try Namespaces.raiseLoopback()
        } catch {
            throw AsofError(
                .failure, "the server cannot get a network of its own: \(error.text)",
                hint: "it takes root or user namespaces; --unsafe-shared-network lets it use this host's network, where it may reach production")
        }
        // Nobody answers questions for names in there, and a server asks for its own.
        let known = (try? SystemCall.readAll(path: "/etc/hosts", limit: 1 << 20)) ?? []
        try? Namespaces.cover("/etc/hosts", with: Array("127.0.0.1 localhost \(hostName)\n".utf8) + known)
    }

    private static func start(_ invocation: Invocation) throws(AsofError) -> ChildProcess {
        var arguments = ["asof", "internal-execute", "--parent", String(getpid())]
        if invocation.flag("drop-capabilities") { arguments.append("--drop-capabilities") }
        do throws(Errno) {
            return try ChildProcess.spawn("/proc/self/exe", arguments: arguments + ["--"] + invocation.rest, input: .inherited)
        } catch { throw AsofError(error, "cannot start the command") }
    }

    /// Hands signals on and buries the dead until the command ends. Its exit code as a shell says it.
    private static func wait(for command: ChildProcess, _ signals: SignalWaiter) -> Int32 {
        var asked: SignalWaiter.Received?
        while true {
            if let outcome = try? command.poll() {
                if let asked, getpid() == 1 { endOthers(asked) }
                return switch outcome { case .exited(let code): code case .signalled(let signal): 128 + signal }
            }
            buryOrphans(sparing: command.pid)
            guard let received = try? signals.receive(), received.signal != SIGCHLD else { continue }
            asked = received
            if received.isFromProcess { try? command.kill(received.signal) }
        }
    }

    /// A shell that is told to end does so at once, and the server that it started has not even heard of it: it is told, and waited for. asof kills us
    /// when that takes too long.
    private static func endOthers(_ asked: SignalWaiter.Received) {
        if asked.isFromProcess { Glibc.kill(-1, asked.signal) }
        while waitpid(-1, nil, 0) > 0 || errno == EINTR {}
    }

    /// The first process of a namespace inherits every orphan of it.
    private static func buryOrphans(sparing command: Int32) {
        while true {
            var information = siginfo_t()
            guard waitid(P_ALL, 0, &information, WEXITED | WNOHANG | WNOWAIT) == 0 else { return }
            let pid = information._sifields._sigchld.si_pid
            guard pid != 0, pid != command else { return }
            waitpid(pid, nil, WNOHANG)
        }
    }

    /// Removes changes whose mount is gone. The dying asof lets go of its lock at some moment soon.
    private static func sweep(_ overlay: String) {
        guard let slash = overlay.lastIndex(of: "/") else { return }
        for _ in 0..<500 {
            OverlayFolder.removeAbandoned(in: String(overlay[..<slash]))
            guard access(overlay, F_OK) == 0 else { return }
            SystemClock.sleep(.milliseconds(10))
        }
    }
}
