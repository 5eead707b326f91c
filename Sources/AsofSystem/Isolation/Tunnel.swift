internal import AsofCore
internal import Glibc

/// Carries bytes both ways between two connected sockets until both directions have ended.
struct Tunnel {
    /// One direction: what was read and is not yet written.
    private struct Direction {
        let source: SharedDescriptor
        let target: SharedDescriptor
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        var held = 0..<0
        var hasEnded = false

        init(_ source: SharedDescriptor, _ target: SharedDescriptor) {
            self.source = source
            self.target = target
        }

        /// Reads or writes once, whichever is due. False: a side is broken, and with it the tunnel.
        mutating func move() -> Bool {
            let isReading = held.isEmpty
            let count = buffer.withUnsafeMutableBytes { bytes in
                isReading
                    ? recv(source.unmanaged, bytes.baseAddress, bytes.count, 0)
                    : send(target.unmanaged, bytes.baseAddress.map { $0 + held.lowerBound }, held.count, Int32(MSG_NOSIGNAL))
            }
            guard count >= 0 else { return errno == EAGAIN || errno == EINTR }
            if !isReading {
                held = (held.lowerBound + count)..<held.upperBound
            } else if count > 0 {
                held = 0..<count
            } else {
                hasEnded = true
                shutdown(target.unmanaged, Int32(SHUT_WR))
            }
            return true
        }
    }

    private var directions: [Direction]

    init(_ one: SharedDescriptor, _ other: SharedDescriptor) {
        directions = [Direction(one, other), Direction(other, one)]
    }

    consuming func run() {
        var tunnel = self
        tunnel.carry()
    }

    private mutating func carry() {
        while true {
            let open = directions.indices.filter { !directions[$0].hasEnded }
            guard !open.isEmpty else { return }
            var waits = open.map { index in
                let direction = directions[index]
                return direction.held.isEmpty
                    ? pollfd(fd: direction.source.unmanaged, events: Int16(POLLIN), revents: 0)
                    : pollfd(fd: direction.target.unmanaged, events: Int16(POLLOUT), revents: 0)
            }
            guard poll(&waits, nfds_t(waits.count), -1) >= 0 || errno == EINTR else { return }
            for (place, index) in open.enumerated() where waits[place].revents != 0 {
                guard directions[index].move() else { return }
            }
        }
    }
}
