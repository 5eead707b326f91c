internal import AsofCore
internal import Glibc

/// What is stopped now, in a file: where follower and watchdog are killed together inside a stop, the next start finds it and lets go.
///
/// A byte that says whether a stop is under way, then text: the boot, the way, and a line for each process or for the cgroup. The byte lies in
/// a shared mapping, so that saying it costs a store and survives `kill -9`.
package final class StopNote {
    private static let length = 4096
    private let mapping: SharedMapping
    /// The mapping lives as long as the file is open somewhere.
    private let descriptor: SharedDescriptor

    /// `lines`: as `release` reads them.
    private init(path: String, lines: [String]) throws(Errno) {
        descriptor = SharedDescriptor(try SystemCall.open(path, O_RDWR | O_CREAT | O_TRUNC, mode: 0o600))
        try SystemCall.truncate(descriptor.unmanaged, to: UInt64(Self.length))
        let text = ([try SystemClock.bootIdentifier()] + lines).map { $0 + "\n" }.joined()
        guard text.utf8.count < Self.length else { throw Errno(EFBIG) }
        try SystemCall.writeFully(descriptor.unmanaged, at: 0, [0] + Array(text.utf8))
        mapping = try SharedMapping(descriptor.unmanaged, length: Self.length)
    }

    convenience init(path: String, signals processes: [ProcessHandle]) throws(Errno) {
        try self.init(path: path, lines: ["signal"] + processes.map { "\($0.pid) \($0.startTicks)" })
    }

    convenience init(path: String, cgroup directory: String, member: ProcessHandle) throws(Errno) {
        try self.init(path: path, lines: ["cgroup", "\(member.pid) \(member.startTicks)", directory])
    }

    func set() { mapping.base.storeBytes(of: 1, as: UInt8.self) }
    func clear() { mapping.base.storeBytes(of: 0, as: UInt8.self) }

    /// Lets go what a note of an earlier life says is stopped, and still is. Returns for people what that was; nil: nothing.
    package static func release(at path: String) -> String? {
        guard let bytes = try? SystemCall.readAll(path: path, limit: length), bytes.first == 1 else { return nil }
        defer { try? SystemCall.unlink(path) }
        let text = bytes.dropFirst().prefix { $0 != 0 }
        let lines = text.split(separator: 0x0A).map { String(decoding: $0, as: UTF8.self) }
        guard lines.count >= 3, lines[0] == (try? SystemClock.bootIdentifier()) else { return nil }
        func process(_ line: String) -> ProcessHandle? {
            let fields = line.split(separator: " ")
            guard fields.count == 2, let pid = Int32(fields[0]), let ticks = UInt64(fields[1]) else { return nil }
            return try? ProcessHandle(pid: pid, startTicks: ticks)
        }
        switch lines[1] {
        case "signal":
            var freed: [String] = []
            for handle in lines.dropFirst(2).compactMap(process) {
                guard let stat = try? ProcessStat.read(handle.pid), stat.state == UInt8(ascii: "T"), (try? handle.send(SIGCONT)) != nil else { continue }
                freed.append("process \(handle.pid)")
            }
            return freed.isEmpty ? nil : freed.joined(separator: ", ")
        case "cgroup":
            // Its member still lives there: the cgroup is the one that was meant.
            guard lines.count >= 4, let member = process(lines[2]), let cgroup = FreezerCgroup.path(of: member.pid), lines[3].hasSuffix(cgroup),
                let freeze = try? SystemCall.open(lines[3] + "/cgroup.freeze", O_RDWR),
                let state = try? SystemCall.readFully(freeze.raw, at: 0, length: 1), state == [UInt8(ascii: "1")],
                (try? SystemCall.writeFully(freeze.raw, Array("0".utf8))) != nil
            else { return nil }
            return "cgroup \(cgroup)"
        default: return nil
        }
    }
}
