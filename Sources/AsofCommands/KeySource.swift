internal import AsofCommandLine
internal import AsofCore
internal import AsofSystem
internal import Glibc

/// Where a key comes from: a file, or a pipe of a program that keeps it (`--key-file <(pass asof)`, `/dev/stdin`). A pipe can be read
/// once, from its start to its end, so what it gave is kept for whoever asks again, and handed to the server of a mount.
enum KeySource {
    /// More than any way to write a key has.
    private static let longest = 4096
    /// The descriptor by which a server in the background gets what was read from a pipe.
    static let descriptor: Int32 = 4

    private static let kept = Lock<[String: [UInt8]]>([:])

    static func read(_ path: String) throws(Errno) -> [UInt8] {
        if let known = kept.withLock({ $0[path] }) { return known }
        let file = try SystemCall.open(path, O_RDONLY)
        let bytes = try readToEnd(file.raw)
        if try !SystemCall.status(file.raw).attributes.isRegular { kept.withLock { $0[path] = bytes } }
        return bytes
    }

    private static func readToEnd(_ descriptor: Int32) throws(Errno) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count <= longest {
            let piece = try SystemCall.readSome(descriptor, atMost: longest + 1 - bytes.count)
            if piece.isEmpty { return bytes }
            bytes += piece
        }
        throw Errno(EFBIG)
    }

    /// For a child that is given the same command line: the reading end of a pipe that holds the key. Nil: it can read the file itself.
    static func handOver(_ invocation: Invocation) throws(AsofError) -> SharedDescriptor? {
        guard let path = invocation.value("key-file") else { return nil }
        _ = try Session.key(invocation)
        guard let bytes = kept.withLock({ $0[path] }) else { return nil }
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw AsofError(Errno(errno), "cannot hand the key on") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let (reader, writer) = (SharedDescriptor(OwnedDescriptor(taking: ends[0])), SharedDescriptor(OwnedDescriptor(taking: ends[1])))
        // A pipe holds more than a key may have, so nobody waits here.
        do throws(Errno) { try writer.withRaw { (raw) throws(Errno) in try SystemCall.writeFully(raw, bytes) } } catch { throw AsofError(error, "cannot hand the key on") }
        return reader
    }

    /// In that child: what `handOver` gave stands in for the pipe.
    static func takeOver(_ invocation: Invocation) throws(AsofError) {
        guard let path = invocation.value("key-file") else { return }
        do throws(Errno) {
            let bytes = try readToEnd(descriptor)
            kept.withLock { $0[path] = bytes }
        } catch { throw AsofError(error, "cannot take the key over") }
        close(descriptor)
    }
}
