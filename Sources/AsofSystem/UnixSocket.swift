package import AsofCore
internal import Glibc

/// A listening Unix-domain socket that only its owner may connect to.
package final class UnixListener: Sendable {
    package let path: String
    private let descriptor: SharedDescriptor
    /// Identity of the name we made, so that closing never removes a successor's.
    private let identity: FileStatus

    /// Listens at `path`. A socket left behind by a dead process is replaced; EADDRINUSE where somebody answers there.
    package init(path: String) throws(Errno) {
        let (directory, name) = try UnixSocket.open(directoryOf: path)
        let socket = try UnixSocket.make()
        // Before bind: the file is born with this mode, there is no moment when others could connect.
        _ = try SystemCall.checked { fchmod(socket.raw, 0o600) }
        do throws(Errno) {
            try UnixSocket.call(bind, socket.raw, directory.raw, name)
        } catch {
            guard error.rawValue == EADDRINUSE else { throw error }
            guard try SystemCall.status(at: directory.raw, name).attributes.kind == .socket else { throw error }
            if (try? UnixSocket.connect(path: path)) != nil { throw error }
            try SystemCall.unlink(at: directory.raw, name)
            try UnixSocket.call(bind, socket.raw, directory.raw, name)
        }
        _ = try SystemCall.checked { listen(socket.raw, 16) }
        identity = try SystemCall.status(at: directory.raw, name)
        self.path = path
        descriptor = SharedDescriptor(socket)
    }

    deinit {
        if let status = try? SystemCall.status(path, following: false),
            status.inode == identity.inode, status.device == identity.device
        {
            try? SystemCall.unlink(path)
        }
    }

    /// The next connection; nil when `timeout` passes first.
    package func accept(timeout: Duration) throws(Errno) -> UnixConnection? {
        try descriptor.withRaw { (raw) throws(Errno) in
            guard try SystemCall.waitReadable(raw, until: .now + timeout) else { return nil }
            let connection = try SystemCall.checked { Glibc.accept(raw, nil, nil) }
            let owned = OwnedDescriptor(taking: connection)
            _ = try SystemCall.checked { fcntl(owned.raw, F_SETFD, FD_CLOEXEC) }
            return UnixConnection(owned)
        }
    }

    /// Serves connections one after the other until `shouldStop` says so; it is asked at least every 200 ms. What `handle` throws
    /// ends that connection only.
    package func serve(until shouldStop: () -> Bool, _ handle: (UnixConnection) throws -> Void) throws(Errno) {
        while !shouldStop() {
            do throws(Errno) {
                guard let connection = try accept(timeout: .milliseconds(200)) else { continue }
                try? handle(connection)
            } catch {
                // The client left before we took it, or we are short of descriptors for a moment.
                switch error.rawValue {
                case ECONNABORTED, EAGAIN: continue
                case EMFILE, ENFILE, ENOBUFS, ENOMEM: SystemClock.sleep(.milliseconds(50))
                default: throw error
                }
            }
        }
    }
}

/// One connection that speaks in lines.
package final class UnixConnection: Sendable {
    private let descriptor: SharedDescriptor
    /// Read but not yet handed out.
    private let pending = Lock<[UInt8]>([])

    init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = SharedDescriptor(descriptor) }

    /// The next line without its newline; nil when the other side has closed. ETIMEDOUT, and EMSGSIZE beyond `limit` bytes.
    package func readLine(timeout: Duration, limit: Int = 1 << 20) throws(Errno) -> String? {
        let deadline = ContinuousClock.now + timeout
        return try pending.withLock { (pending) throws(Errno) in
            var searched = 0
            while true {
                if let end = pending[searched...].firstIndex(of: 0x0A) {
                    let line = String(decoding: pending[..<end], as: UTF8.self)
                    pending.removeSubrange(...end)
                    return line
                }
                searched = pending.count
                guard pending.count <= limit else { throw Errno(EMSGSIZE) }
                var piece = [UInt8](repeating: 0, count: 16 << 10)
                let count = try descriptor.withRaw { (raw) throws(Errno) in
                    guard try SystemCall.waitReadable(raw, until: deadline) else { throw Errno(ETIMEDOUT) }
                    return try piece.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
                        try SystemCall.checked { recv(raw, buffer.baseAddress, buffer.count, 0) }
                    }
                }
                if count == 0 {
                    defer { pending = [] }
                    return pending.isEmpty ? nil : String(decoding: pending, as: UTF8.self)
                }
                pending += piece.prefix(count)
            }
        }
    }

    /// Sends `line` and a newline; `line` must hold none. ETIMEDOUT, or EPIPE where the other side is gone.
    package func writeLine(_ line: String, timeout: Duration) throws(Errno) {
        let deadline = ContinuousClock.now + timeout
        let bytes = Array((line + "\n").utf8)
        var done = 0
        while done < bytes.count {
            done += try descriptor.withRaw { (raw) throws(Errno) in
                guard try SystemCall.waitWritable(raw, until: deadline) else { throw Errno(ETIMEDOUT) }
                do throws(Errno) {
                    return try bytes.withUnsafeBufferPointer { (buffer) throws(Errno) in
                        try SystemCall.checked {
                            send(
                                raw, buffer.baseAddress.map { $0 + done }, buffer.count - done,
                                Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
                        }
                    }
                } catch {
                    if error.rawValue == EAGAIN { return 0 }
                    throw error
                }
            }
        }
    }
}

package enum UnixSocket {
    /// Connects to the socket at `path`. ENOENT: nobody ever listened; ECONNREFUSED: nobody listens any more.
    package static func connect(path: String) throws(Errno) -> UnixConnection {
        let (directory, name) = try open(directoryOf: path)
        let socket = try make()
        try call(Glibc.connect, socket.raw, directory.raw, name)
        return UnixConnection(socket)
    }

    fileprivate static func make() throws(Errno) -> OwnedDescriptor {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        return OwnedDescriptor(taking: try SystemCall.checked { socket(AF_UNIX, type, 0) })
    }

    /// A socket's address holds 107 bytes; a directory's descriptor makes any path fit whose last component is short.
    fileprivate static func open(directoryOf path: String) throws(Errno) -> (directory: SharedDescriptor, name: String) {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else {
            return (SharedDescriptor(try SystemCall.open(".", SystemCall.O_PATH | O_DIRECTORY)), path)
        }
        let parent = slash == path.startIndex ? "/" : String(path[..<slash])
        let name = String(path[path.index(after: slash)...])
        guard !name.isEmpty else { throw Errno(EISDIR) }
        return (SharedDescriptor(try SystemCall.open(parent, SystemCall.O_PATH | O_DIRECTORY)), name)
    }

    fileprivate static func call(
        _ function: (Int32, UnsafePointer<sockaddr>?, socklen_t) -> Int32, _ socket: Int32, _ directory: Int32, _ name: String
    ) throws(Errno) {
        let path = Array("\(SystemCall.procPath(directory))/\(name)".utf8)
        var address = sockaddr_un()
        guard path.count < MemoryLayout.size(ofValue: address.sun_path), !path.contains(0) else { throw Errno(ENAMETOOLONG) }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        _ = try withUnsafePointer(to: address) { (pointer) throws(Errno) in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { (generic) throws(Errno) in
                try SystemCall.checked { function(socket, generic, length) }
            }
        }
    }
}

extension SharedDescriptor {
    fileprivate var raw: Int32 { unmanaged }
}
