internal import CFuse3
internal import Glibc
internal import Synchronization

/// What is agreed with the kernel beyond what libfuse 3.14 knows: FUSE_HANDLE_KILLPRIV_V2.
///
/// Without it the kernel asks for `security.capability` before every single write, which halves the rate of small writes; with it
/// clearing set-user-id bits is the file system's duty (`Request.clearsPrivileges`). The bit goes into libfuse's reply to INIT on
/// its way out, through `fuse_session_custom_io`.
final class InitialAgreement: Sendable {
    /// FUSE_HANDLE_KILLPRIV_V2.
    private static let clearsPrivilegesOurselves: UInt32 = 1 << 28

    private enum Stage {
        static let waiting: UInt32 = 0
        static let offered: UInt32 = 1
        static let done: UInt32 = 2
    }

    /// INIT is the first request and the kernel sends no other until it is answered: one worker alone sees the first two stages.
    private let stage = Atomic<UInt32>(Stage.waiting)
    private let agreed = Atomic<Bool>(false)

    /// The kernel leaves the clearing of privileges to the file system.
    var hasPrivilegeClearing: Bool { agreed.load(ordering: .relaxed) }
    var isDone: Bool { stage.load(ordering: .relaxed) == Stage.done }

    /// Looks at a request before libfuse does.
    func note(_ request: RawRequest) {
        guard !isDone, let features = request.offeredFeatures else { return }
        if features & Self.clearsPrivilegesOurselves != 0 { stage.store(Stage.offered, ordering: .relaxed) }
    }

    /// Changes the reply to INIT: a header of 16 bytes (length, error, unique), then `struct fuse_init_out` with its flags at 12.
    func amend(_ reply: UnsafeMutableBufferPointer<iovec>) {
        let stage = stage.exchange(Stage.done, ordering: .relaxed)
        guard stage == Stage.offered, reply.count == 2, reply[0].iov_len == 16, reply[1].iov_len >= 24,
            let header = reply[0].iov_base, let body = reply[1].iov_base,
            header.loadUnaligned(fromByteOffset: 4, as: Int32.self) == 0
        else { return }
        let flags = body.loadUnaligned(fromByteOffset: 12, as: UInt32.self)
        body.storeBytes(of: flags | Self.clearsPrivilegesOurselves, toByteOffset: 12, as: UInt32.self)
        agreed.store(true, ordering: .relaxed)
    }

    /// The plain system calls, but for the one reply.
    static let channel: fuse_custom_io = {
        var channel = fuse_custom_io()
        channel.read = { device, buffer, length, _ in read(device, buffer, length) }
        channel.writev = { device, pieces, count, context in
            // writev stays the last call: libfuse reads errno after it.
            if let pieces, let context { amendFirst(pieces, count, context) }
            return writev(device, pieces, count)
        }
        return channel
    }()

    private static func amendFirst(_ pieces: UnsafeMutablePointer<iovec>, _ count: Int32, _ context: UnsafeMutableRawPointer) {
        Unmanaged<SessionContext>.fromOpaque(context)._withUnsafeGuaranteedRef { context in
            if !context.agreement.isDone {
                context.agreement.amend(UnsafeMutableBufferPointer(start: pieces, count: Int(count)))
            }
        }
    }
}
