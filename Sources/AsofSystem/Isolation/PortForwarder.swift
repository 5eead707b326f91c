package import AsofCore
internal import Glibc

/// Hands connections to a port of this host's loopback on to a port of another network's loopback.
///
/// A socket belongs for its whole life to the network in which it was made. So the listener is made here, and each connection's thread
/// enters the other network before it makes the socket for the other side. Nothing else of the two networks touches.
package final class PortForwarder: Sendable {
    package let port: UInt16
    private let listener: SharedDescriptor
    private let isEnding = Lock(false)
    private let threads = Lock<[NamedThread]>([])

    /// Listens from now on: clients wait until `start`. EADDRINUSE where the port is taken; `port` 0 takes a free one.
    package init(port: UInt16) throws(Errno) {
        listener = try LoopbackSocket.listen(port: port)
        self.port = try LoopbackSocket.port(of: listener)
    }

    /// Hands on to `target` in `network`; nil: in this one.
    package func start(to target: UInt16, in network: SharedDescriptor?) throws(Errno) {
        let thread = try NamedThread("asof-forward") { [self] in
            while !isEnding.withLock({ $0 }) {
                // Short of descriptors or memory for a moment: the client waits in the listener's queue.
                guard let accepted = try? LoopbackSocket.accept(listener, timeout: .milliseconds(200)) else { continue }
                _ = try? NamedThread("asof-tunnel", stackSize: 256 << 10) {
                    if let network { guard (try? Namespaces.enterNetwork(network)) != nil else { return } }
                    guard let other = try? LoopbackSocket.connect(port: target, timeout: .seconds(10)) else { return }
                    Tunnel(accepted, other).run()
                }
            }
        }
        threads.withLock { $0.append(thread) }
    }

    /// Takes no more connections. Those that are open end with the server.
    package func stop() {
        isEnding.withLock { $0 = true }
        for thread in threads.withLock({ $0 }) { thread.join() }
    }
}
