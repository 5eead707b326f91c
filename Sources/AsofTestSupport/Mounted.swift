internal import AsofCore
package import AsofFileSystem
package import AsofFuse
internal import AsofSystem
internal import Glibc

/// A file system mounted at a directory of its own, served on its own threads, gone at the end whatever happens.
package final class Mounted: Sendable {
    package let path: String
    /// An empty plain directory beside the mount, for the model.
    package let model: String
    private let base: String
    package let mount: FuseMount
    private let watchdog: ChildProcess?

    /// A test process that crashes cannot end while one of its threads waits for its own mount. This child sees that only a zombie
    /// is left (or that four minutes are over) and cuts the mount.
    private static let watching = """
        n=0
        while [ $n -lt 480 ] && read -r pid name state rest < /proc/$1/stat && [ "$state" != Z ]; do
            sleep 0.5; n=$((n + 1))
        done
        umount -f -l "$2"
        """

    package static let isPossible = geteuid() == 0 && access("/dev/fuse", R_OK | W_OK) == 0

    package init(_ fileSystem: any AsofFileSystem, _ options: MountOptions = MountOptions(allowOther: true)) throws {
        signal(SIGPIPE, SIG_IGN)
        var template = Array("/tmp/asof-fuse-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Errno(errno) }
        base = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        path = base + "/mount"
        model = base + "/model"
        chmod(base, 0o755)
        for directory in [path, model] { try SystemCall.makeDirectory(directory, mode: 0o755) }
        mount = try FuseMount(fileSystem: fileSystem, mountPoint: path, options: options)
        watchdog = try? ChildProcess.spawn(
            "/bin/sh", arguments: ["sh", "-c", Self.watching, "sh", String(getpid()), path], output: .null, error: .null)
        try mount.start()
    }

    deinit {
        try? watchdog?.kill(SIGKILL)
        _ = try? watchdog?.wait()
        mount.abort()
        try? mount.wait()
        removeTree(base)
    }

    /// Ends the mount as a user would, and waits for its threads.
    package func unmount() throws {
        // Tests beside this one look at what all processes have open, and hold a mount for a moment by that.
        var attempts = 0
        while true {
            do {
                try mount.unmount()
                break
            } catch {
                attempts += 1
                guard attempts < 30 else { throw error }
                SystemClock.sleep(.milliseconds(100))
            }
        }
        try mount.wait()
    }
}

/// Runs a body that blocks on a thread of its own, so that neither the pool nor a lock of the test run waits for the mount. At the
/// deadline the mount is cut, which ends every call that hangs in it, and the test fails. It tells a hang from a slow machine, and is no bound of speed.
package func onThread<R: Sendable>(
    _ mounted: Mounted, within seconds: Int = 300, _ body: @escaping @Sendable () throws -> R
) async throws -> R {
    let outcome = Monitor<Result<R, any Error>?>(nil)
    let mount = mounted.mount
    return try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<R, any Error>) in
        do {
            let worker = try NamedThread("test") {
                let result = Result { try body() }
                outcome.withLock { $0 = result }
                outcome.broadcast()
            }
            _ = try NamedThread("deadline") {
                let isInTime = outcome.wait(timeout: .seconds(seconds), until: { $0 != nil })
                if !isInTime { mount.abort() }
                // Joined first: nobody but the test holds the mount from here on.
                worker.join()
                continuation.resume(with: isInTime ? outcome.withLock { $0 ?? .failure(Late()) } : .failure(Late()))
            }
        } catch {
            continuation.resume(throwing: error)
        }
    }
}

/// The deadline of a test has passed.
package struct Late: Error {}

/// Waits until `condition` holds, for at most ten seconds: the kernel sends some requests after the call has returned.
package func eventually(_ condition: () -> Bool) -> Bool {
    for _ in 0..<1000 {
        if condition() { return true }
        usleep(10_000)
    }
    return condition()
}

private func removeTree(_ path: String) {
    guard let directory = opendir(path) else { return }
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name == "." || name == ".." { continue }
        let child = path + "/" + name
        if unlink(child) != 0 { removeTree(child) }
    }
    closedir(directory)
    rmdir(path)
}
