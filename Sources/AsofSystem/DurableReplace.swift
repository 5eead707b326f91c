package import AsofCore
internal import Glibc
internal import Synchronization

/// Replacing a file so that after a crash, of us or of the machine, either the old content is there or the new, whole.
package enum Durable {
    private static let counter = Atomic<UInt64>(0)

    /// A name for a temporary file that no other caller, thread or process on this host uses now.
    package static func temporaryName() -> String {
        let number = counter.wrappingAdd(1, ordering: .relaxed).newValue
        return ".asof-\(getpid())-\(SystemClock.bootNanoseconds())-\(number).tmp"
    }

    /// Writes `bytes` to a temporary file in `directory`, syncs it, renames it to `name`, syncs the directory.
    package static func replace(
        at directory: Int32, _ name: some PathBytes, _ bytes: [UInt8], mode: UInt32 = 0o600
    ) throws(Errno) {
        let temporary = temporaryName()
        let file = try SystemCall.open(at: directory, temporary, O_WRONLY | O_CREAT | O_EXCL, mode: mode)
        do throws(Errno) {
            try SystemCall.writeFully(file.raw, at: 0, bytes)
            try SystemCall.sync(file.raw)
            CrashPoint.reach("durable.replace.written")
            try SystemCall.rename(at: directory, temporary, to: directory, name)
        } catch {
            try? SystemCall.unlink(at: directory, temporary)
            throw error
        }
        CrashPoint.reach("durable.replace.renamed")
        try SystemCall.sync(directory)
    }

    /// The same below the directory at `path`.
    package static func replace(
        inDirectory path: some PathBytes, _ name: some PathBytes, _ bytes: [UInt8], mode: UInt32 = 0o600
    ) throws(Errno) {
        let directory = try SystemCall.open(path, O_RDONLY | O_DIRECTORY)
        try replace(at: directory.raw, name, bytes, mode: mode)
    }

    /// Makes changes of names in the directory durable: `fsync` of the directory itself.
    package static func syncDirectory(_ path: some PathBytes) throws(Errno) {
        let directory = try SystemCall.open(path, O_RDONLY | O_DIRECTORY)
        try SystemCall.sync(directory.raw)
    }

    /// Creates the directory at `path` and whatever is missing above it, each durably in its parent. What is there already is
    /// left alone.
    package static func makeDirectories(at start: Int32 = AT_FDCWD, _ path: String, mode: UInt32 = 0o700) throws(Errno) {
        // O_PATH: folders above may be closed to reading and still be passed through.
        let flags = SystemCall.O_PATH | O_DIRECTORY
        var current = try SystemCall.open(at: start, path.hasPrefix("/") ? "/" : ".", flags)
        for component in path.split(separator: "/").map(String.init) {
            if let next = try? SystemCall.open(at: current.raw, component, flags) {
                current = next
                continue
            }
            do throws(Errno) {
                try SystemCall.makeDirectory(at: current.raw, component, mode: mode)
            } catch {
                // Somebody else may have made it meanwhile; anything but a directory fails in the open below.
                if error.rawValue != EEXIST { throw error }
            }
            let parent = try SystemCall.open(at: current.raw, ".", O_RDONLY | O_DIRECTORY)
            try SystemCall.sync(parent.raw)
            current = try SystemCall.open(at: current.raw, component, flags)
        }
    }
}
