internal import AsofCommandLine
internal import AsofCore
internal import AsofSystem
internal import Glibc

/// Where a server in the background says what went wrong. Whoever may read the mount can meet the same damage again and again: what is written
/// in a second has a limit, and so has the file, of which the one before is kept.
final class MountLog: Sendable {
    private struct Second {
        var number: UInt64 = 0
        var lines = 0
        var leftOut = 0
    }

    private static let linesInSecond = 10
    private static let sizeLimit: UInt64 = 1 << 20

    private let path: String
    private let mountPoint: String
    private let second = Lock(Second())

    init(folder: String, mountPoint: String) {
        path = "\(folder)/mount.log"
        self.mountPoint = mountPoint
    }

    @Sendable func write(_ failure: AsofError) {
        guard let leftOut = take() else { return }
        var text = line(failure.message)
        if leftOut > 0 { text = line("\(leftOut) more failures in one second are left out") + text }
        guard let file = try? open(), let size = try? SystemCall.status(file.raw).attributes.size else { return }
        if size >= Self.sizeLimit, (try? setAside(file)) != nil, let next = try? open() {
            try? SystemCall.writeFully(next.raw, Array(text.utf8))
        } else {
            try? SystemCall.writeFully(file.raw, Array(text.utf8))
        }
    }

    private func open() throws(Errno) -> OwnedDescriptor { try SystemCall.open(path, O_WRONLY | O_APPEND | O_CREAT, mode: 0o600) }

    /// Gives a full file another name, once: other threads and mounts write to it, too.
    private func setAside(_ file: borrowing OwnedDescriptor) throws(Errno) {
        guard try SystemCall.tryLock(file.raw), try SystemCall.status(path).inode == SystemCall.status(file.raw).inode else { return }
        try SystemCall.rename(at: AT_FDCWD, path, to: AT_FDCWD, path + ".1")
    }

    private func line(_ text: String) -> String { Printable.text("\(SystemClock.now()) \(mountPoint): \(text)") + "\n" }

    /// How many lines were left out before this one; nil: this one is, too.
    private func take() -> Int? {
        let now = SystemClock.monotonicNanoseconds() / 1_000_000_000
        return second.withLock { second in
            let before = second
            if second.number != now { second = Second(number: now) }
            guard second.lines < Self.linesInSecond else {
                second.leftOut += 1
                return nil
            }
            second.lines += 1
            return before.number == now ? 0 : before.leftOut
        }
    }
}
