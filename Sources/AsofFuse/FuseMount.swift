package import AsofCore
package import AsofFileSystem
internal import AsofSystem
internal import CFuse3
internal import Glibc
internal import Synchronization

/// A mounted file system, from the call of mount(2) to the end of the session.
///
/// `init` mounts, `serve` answers the kernel on threads of its own until the mount goes away, `unmount` (from any thread) makes it go
/// away. Until `serve` runs, whoever touches the mount waits. The process must not open paths below its own mount on a thread that
/// the file system needs.
///
/// Concurrency: `session` is libfuse's and may be used by any number of workers; everything of ours is immutable or behind `state`.
package final class FuseMount: @unchecked Sendable {
    // Invariant behind @unchecked Sendable: the two pointers are set once and valid until deinit, which nobody can meet: workers
    // and callers hold a reference.

    /// Absolute, without symbolic links.
    package let mountPoint: String
    private let session: OpaquePointer
    private let context: Unmanaged<SessionContext>
    private let threads: Int
    /// "major:minor" of the mount; nil where /proc did not say.
    private let device: String?
    private let state = Lock(State())
    private let isLettingGo = Atomic<Bool>(false)

    private struct State {
        var workers: [NamedThread] = []
        var isStarted = false
        var failure: Errno?
    }

    /// Mounts `fileSystem` at `mountPoint`, an existing directory. Throws what hinders it, with the remedy.
    package init(
        fileSystem: any AsofFileSystem, mountPoint: String, options: MountOptions = MountOptions()
    ) throws(AsofError) {
        let path = try MountFailure.checkedMountPoint(mountPoint)
        try MountFailure.checkDevice()
        let context: SessionContext
        do throws(Errno) {
            context = try SessionContext(fileSystem: fileSystem, options: options)
        } catch {
            throw AsofError(.failure, "cannot prepare the mount at \(path): \(MountFailure.text(of: error))")
        }
        let retained = Unmanaged.passRetained(context)
        let (session, said) = FuseLog.capturing { Self.makeSession(retained, options, at: path) }
        guard let session else {
            retained.release()
            throw MountFailure.refused(path, said, options)
        }
        self.session = session
        self.context = retained
        self.mountPoint = path
        self.threads = max(1, options.threads)
        // Before the kernel lets anybody in: a file has the read-ahead of the moment when it was opened.
        if options.readsAhead { Self.raiseReadAhead(of: path) }
        device = MountTable.device(at: path)
    }

    /// A session that is mounted, its replies on their way through `InitialAgreement`; nil where libfuse has said why not.
    private static func makeSession(_ context: Unmanaged<SessionContext>, _ options: MountOptions, at path: String) -> OpaquePointer? {
        var arguments = fuse_args(argc: 0, argv: nil, allocated: 0)
        defer { fuse_opt_free_args(&arguments) }
        let text = options.optionText(isReadOnly: context._withUnsafeGuaranteedRef { $0.isReadOnly })
        for argument in ["asof", "-o", text] where fuse_opt_add_arg(&arguments, argument) != 0 { return nil }
        var table = Callbacks.table()
        guard let session = fuse_session_new(&arguments, &table, MemoryLayout<fuse_lowlevel_ops>.size, context.toOpaque()) else {
            return nil
        }
        guard fuse_session_mount(session, path) == 0 else {
            fuse_session_destroy(session)
            return nil
        }
        var channel = InitialAgreement.channel
        guard fuse_session_custom_io(session, &channel, fuse_session_fd(session)) == 0 else {
            fuse_session_unmount(session)
            fuse_session_destroy(session)
            return nil
        }
        return session
    }

    deinit {
        // Order matters: the mount goes, then the session that could call back, then what it would call.
        // Not fuse_session_unmount: it goes by the path alone, and would take away whatever lies there by now.
        try? unmount(lazy: true)
        fuse_session_destroy(session)
        context.release()
    }

    /// Starts the threads and returns at once; `wait` waits for their end. Starting again does nothing.
    package func start() throws(AsofError) {
        do throws(Errno) {
            try state.withLock { (state) throws(Errno) in
                guard !state.isStarted else { return }
                state.isStarted = true
                for number in 0..<threads {
                    state.workers.append(try NamedThread("asof-fuse-\(number)") { [self] in work() })
                }
            }
        } catch {
            abort()
            throw AsofError(.failure, "cannot start a thread for the mount at \(mountPoint): \(MountFailure.text(of: error))")
        }
    }

    /// Returns once the mount is gone and every thread has ended. Throws when the kernel's device failed.
    package func wait() throws(AsofError) {
        for worker in state.withLock({ $0.workers }) { worker.join() }
        // A connection that was cut (fusectl's abort) leaves a dead mount behind.
        try unmount(lazy: true)
        if let failure = state.withLock({ $0.failure }) {
            throw AsofError(.failure, "the mount at \(mountPoint) failed: /dev/fuse: \(MountFailure.text(of: failure))")
        }
    }

    /// Serves until the mount goes away, however that comes about, and returns when all requests are answered.
    package func serve() throws(AsofError) {
        try start()
        try wait()
    }

    private func work() {
        do throws(Errno) {
            try Worker(session: session, context: context.takeUnretainedValue()).run()
        } catch {
            state.withLock { $0.failure = $0.failure ?? error }
            // The others wait in read(2) until the mount is gone.
            abort()
        }
    }

    /// The mount is still there, as far as this thread's mount namespace shows.
    package var isMounted: Bool {
        guard let device else { return true }
        return MountTable.device(at: mountPoint) == device
    }

    /// Takes the mount away. Not lazy: throws while files are open or a shell stands in it. Lazy: the name goes at once, the threads
    /// end when the last file is closed. Does nothing once it is gone.
    package func unmount(lazy: Bool = false) throws(AsofError) {
        guard isMounted else { return }
        if umount2(mountPoint, lazy ? Int32(MNT_DETACH) : 0) == 0 { return }
        let error = Errno(errno)
        switch error.rawValue {
        case EINVAL, ENOENT: return
        case EPERM where Self.unmountByHelper(mountPoint, lazy: lazy): return
        default: throw MountFailure.cannotUnmount(mountPoint, error)
        }
    }

    /// Asks the kernel to forget names in the root, and all below them that nobody uses, on a thread of its own: the kernel waits for look-ups in
    /// the root, which the workers answer. Whoever stands in one of them stays there, but its path is no more; what is mounted below is taken away.
    /// Does nothing while it is at work.
    package func letGo(of names: [Name]) {
        guard !isLettingGo.exchange(true, ordering: .relaxed) else { return }
        let thread = try? NamedThread("asof-let-go", stackSize: 256 << 10) { [self] in
            defer { isLettingGo.store(false, ordering: .relaxed) }
            for name in names {
                name.bytes.withUnsafeBytes { bytes in
                    _ = fuse_lowlevel_notify_inval_entry(session, 1, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
                }
            }
        }
        if thread == nil { isLettingGo.store(false, ordering: .relaxed) }
    }

    /// Ends the session after what clients changed in mapped memory has been written: for a mount that nobody may use any more. Clients
    /// that still do find it gone (ENOTCONN).
    package func end() {
        if let root = try? SystemCall.open(mountPoint, O_RDONLY | O_DIRECTORY) { try? SystemCall.syncFileSystem(root.raw) }
        abort()
    }

    /// Ends the session whatever is in progress: waiting calls of clients fail with ECONNABORTED or ENOTCONN. For tests that hang,
    /// and for a server that cannot go on.
    package func abort() {
        guard isMounted else { return }
        if umount2(mountPoint, Int32(MNT_FORCE) | Int32(MNT_DETACH)) != 0 { _ = Self.unmountByHelper(mountPoint, lazy: true) }
    }

    /// fusermount3, which is set-user-id root: for mounts made without privileges.
    private static func unmountByHelper(_ path: String, lazy: Bool) -> Bool {
        let arguments = ["fusermount3", "-u", "-q"] + (lazy ? ["-z"] : []) + ["--", path]
        var pointers = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var child = pid_t()
        guard posix_spawnp(&child, "fusermount3", nil, nil, &pointers, environ) == 0 else { return false }
        var status: Int32 = 0
        while waitpid(child, &status, 0) == -1 { if errno != EINTR { return false } }
        return status == 0
    }

    /// Reads come in pieces of the device's read-ahead, 128 KiB by default whatever INIT says. Four times that gave a third more,
    /// with a quarter of the requests. Only root may; failure costs nothing but speed.
    private static func raiseReadAhead(of path: String) {
        guard let device = MountTable.device(at: path) else { return }
        guard let file = try? SystemCall.open("/sys/class/bdi/\(device)/read_ahead_kb", O_WRONLY | O_CLOEXEC) else { return }
        try? SystemCall.writeFully(file.raw, Array("512".utf8))
    }
}
