package import AsofCore
internal import Glibc

/// An open file descriptor that several threads use; closed when the last reference goes.
package final class SharedDescriptor: Sendable {
    private let raw: Int32

    package init(_ descriptor: consuming OwnedDescriptor) { raw = descriptor.release() }

    /// Takes over a descriptor that nobody else will close.
    package init(taking raw: Int32) { self.raw = raw }

    deinit { _ = Glibc.close(raw) }

    /// Runs `body` with the number; the descriptor stays open until `body` returns.
    package func withRaw<R: ~Copyable, E: Error>(_ body: (Int32) throws(E) -> R) throws(E) -> R {
        defer { withExtendedLifetime(self) {} }
        return try body(raw)
    }

    /// The number itself, for a caller that holds this object for longer than it uses the number.
    package var unmanaged: Int32 { raw }

    /// A second descriptor of the same open file (`F_DUPFD_CLOEXEC`).
    package func duplicate() throws(Errno) -> OwnedDescriptor {
        try withRaw { (raw) throws(Errno) in try SystemCall.duplicate(raw) }
    }
}
