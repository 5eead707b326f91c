package import AsofCore
internal import Glibc

/// An open file descriptor with one owner. Closed when the owner goes away; `close` says whether that went well.
package struct OwnedDescriptor: ~Copyable, Sendable {
    /// The number the kernel knows it by. Valid while this value lives.
    package let raw: Int32

    /// Takes over a descriptor that nobody else will close.
    package init(taking raw: Int32) { self.raw = raw }

    deinit { _ = Glibc.close(raw) }

    /// Closes now. Throws what `close(2)` reports (EIO, ENOSPC, EDQUOT of delayed writes); the descriptor is gone either way.
    package consuming func close() throws(Errno) {
        let raw = self.raw
        discard self
        // Linux has released the descriptor even where it says EINTR.
        if Glibc.close(raw) != 0, errno != EINTR { throw Errno(errno) }
    }

    /// Gives the descriptor away: whoever takes the number closes it.
    package consuming func release() -> Int32 {
        let raw = self.raw
        discard self
        return raw
    }
}
