internal import AsofCore
internal import Glibc

/// What /proc/<pid>/stat says of a process, as far as it is of use here.
struct ProcessStat: Hashable, Sendable {
    /// `R`, `S`, `D`, `T` (stopped), `t` (traced), `Z` and others.
    var state: UInt8
    var parent: Int32
    /// In clock ticks since boot; with the pid, unique within a boot.
    var startTicks: UInt64

    /// A zombie, or gone: nothing of it runs any more.
    var isDead: Bool { state == UInt8(ascii: "Z") || state == UInt8(ascii: "X") }

    /// Nil where there is no such process.
    static func read(_ pid: Int32) throws(Errno) -> ProcessStat? {
        let bytes: [UInt8]
        do throws(Errno) {
            bytes = try SystemCall.readAll(path: "/proc/\(pid)/stat", limit: 1 << 16)
        } catch {
            if error.rawValue == ENOENT || error.rawValue == ESRCH { return nil }
            throw error
        }
        guard let stat = ProcessStat(parsing: bytes) else { throw Errno(EIO) }
        return stat
    }

    /// The second field, the name in parentheses, may hold anything, so counting starts after the last parenthesis.
    init?(parsing bytes: [UInt8]) {
        guard let close = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = bytes[(close + 1)...].split(separator: UInt8(ascii: " "))
        guard fields.count > 19, let state = fields[0].first, let parent = Int32(String(decoding: fields[1], as: UTF8.self)),
            let ticks = UInt64(String(decoding: fields[19], as: UTF8.self))
        else { return nil }
        self.state = state
        self.parent = parent
        startTicks = ticks
    }
}
