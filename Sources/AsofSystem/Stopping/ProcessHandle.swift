package import AsofCore
internal import CLinux
internal import Glibc

/// A running process, held by a pidfd: unlike its number, which is reused, the handle never comes to mean another one.
package final class ProcessHandle: Sendable {
    package let pid: Int32
    /// Field 22 of /proc/<pid>/stat: with `pid`, unique within a boot.
    package let startTicks: UInt64
    private let descriptor: SharedDescriptor

    /// Opens the process `pid`; ESRCH where it has ended, or where `startTicks` is given and the number belongs to another now.
    package init(pid: Int32, startTicks expected: UInt64? = nil) throws(Errno) {
        let descriptor = OwnedDescriptor(taking: try SystemCall.checked { asof_pidfd_open(pid) })
        guard let stat = try ProcessStat.read(pid), expected ?? stat.startTicks == stat.startTicks else {
            throw Errno(ESRCH)
        }
        self.pid = pid
        startTicks = stat.startTicks
        self.descriptor = SharedDescriptor(descriptor)
        // Still alive, so what was read in between was this process's and no successor's. Its state does not tell: it is that of
        // the first thread, which may end before the others.
        guard isAlive else { throw Errno(ESRCH) }
    }

    /// False once all of its threads have ended, whether or not its parent has waited for it.
    package var isAlive: Bool {
        var request = pollfd(fd: descriptor.unmanaged, events: Int16(POLLIN), revents: 0)
        return poll(&request, 1, 0) == 0
    }

    /// `pidfd_send_signal(2)`: ESRCH where it has ended. Signal 0 only asks whether we may.
    package func send(_ signal: Int32) throws(Errno) {
        _ = try descriptor.withRaw { (raw) throws(Errno) in try SystemCall.checked { asof_pidfd_send_signal(raw, signal) } }
    }

    /// The pidfd, valid while this handle lives.
    var unmanaged: Int32 { descriptor.unmanaged }
}
