package import AsofCore
internal import Glibc

/// TCP on 127.0.0.1, and nowhere else.
package enum LoopbackSocket {
    /// Listens on `port`; 0: a free one. EADDRINUSE where somebody else does.
    package static func listen(port: UInt16) throws(Errno) -> SharedDescriptor {
        let socket = try make(nonBlocking: false)
        var yes: Int32 = 1
        // Connections of a run before may still be fading away; a listener is refused all the same.
        _ = try SystemCall.checked { setsockopt(socket.unmanaged, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size)) }
        _ = try call(bind, socket, port)
        _ = try SystemCall.checked { Glibc.listen(socket.unmanaged, 128) }
        return socket
    }

    /// The port that a socket is bound to.
    package static func port(of socket: SharedDescriptor) throws(Errno) -> UInt16 {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = try withUnsafeMutablePointer(to: &address) { (pointer) throws(Errno) in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { (generic) throws(Errno) in
                try SystemCall.checked { getsockname(socket.unmanaged, generic, &length) }
            }
        }
        return UInt16(bigEndian: address.sin_port)
    }

    /// A port on which nobody listens now.
    package static func freePort() throws(Errno) -> UInt16 { try port(of: try listen(port: 0)) }

    /// The next connection, ready for `poll`; nil when `timeout` passes first.
    package static func accept(_ listener: SharedDescriptor, timeout: Duration) throws(Errno) -> SharedDescriptor? {
        try listener.withRaw { raw throws(Errno) in
            guard try SystemCall.waitReadable(raw, until: .now + timeout) else { return nil }
            let connection = SharedDescriptor(taking: try SystemCall.checked { Glibc.accept(raw, nil, nil) })
            _ = try SystemCall.checked { fcntl(connection.unmanaged, F_SETFD, FD_CLOEXEC) }
            _ = try SystemCall.checked { fcntl(connection.unmanaged, F_SETFL, O_NONBLOCK) }
            return connection
        }
    }

    /// Connects, in the calling thread's network; ready for `poll`.
    package static func connect(port: UInt16, timeout: Duration) throws(Errno) -> SharedDescriptor {
        let socket = try make(nonBlocking: true)
        do throws(Errno) {
            _ = try call(Glibc.connect, socket, port)
        } catch {
            guard error.rawValue == EINPROGRESS else { throw error }
            guard try SystemCall.waitWritable(socket.unmanaged, until: .now + timeout) else { throw Errno(ETIMEDOUT) }
            var code: Int32 = 0
            var length = socklen_t(MemoryLayout<Int32>.size)
            _ = try SystemCall.checked { getsockopt(socket.unmanaged, SOL_SOCKET, SO_ERROR, &code, &length) }
            guard code == 0 else { throw Errno(code) }
        }
        return socket
    }

    private static func make(nonBlocking: Bool) throws(Errno) -> SharedDescriptor {
        var type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        if nonBlocking { type |= Int32(SOCK_NONBLOCK.rawValue) }
        return SharedDescriptor(taking: try SystemCall.checked { socket(AF_INET, type, 0) })
    }

    private static func call(
        _ function: (Int32, UnsafePointer<sockaddr>?, socklen_t) -> Int32, _ socket: SharedDescriptor, _ port: UInt16
    ) throws(Errno) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr = in_addr(s_addr: UInt32(0x7F00_0001).bigEndian)
        return try withUnsafePointer(to: address) { (pointer) throws(Errno) in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { (generic) throws(Errno) in
                try SystemCall.checked { function(socket.unmanaged, generic, socklen_t(MemoryLayout<sockaddr_in>.size)) }
            }
        }
    }
}
