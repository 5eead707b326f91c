internal import AsofCore
internal import CFuse3
internal import Glibc

/// One thread's loop over requests, and the buffers that its replies are built in.
final class Worker {
    /// Of the request in hand, see `Request.clearsPrivileges`.
    private(set) var clearsPrivileges = false
    private let session: OpaquePointer
    private let context: SessionContext
    private var replyBuffer: UnsafeMutableRawBufferPointer

    init(session: OpaquePointer, context: SessionContext) {
        self.session = session
        self.context = context
        replyBuffer = .allocate(byteCount: context.maximumTransfer, alignment: 4096)
    }

    deinit { replyBuffer.deallocate() }

    /// Takes requests until the mount is gone. Throws what the device says when it fails in another way.
    func run() throws(Errno) {
        context.setWorker(self)
        defer { context.setWorker(nil) }
        // libfuse allocates the memory at the first request and takes it again for each next one.
        var request = fuse_buf()
        defer { free(request.mem) }
        while fuse_session_exited(session) == 0 {
            let length = fuse_session_receive_buf(session, &request)
            if length > 0, let memory = request.mem {
                process(&request, UnsafeRawBufferPointer(start: memory, count: Int(length)))
            } else if length == 0 || length == -ENODEV {
                return
            } else if length != -EINTR, length != -EAGAIN {
                throw Errno(-length)
            }
        }
    }

    private func process(_ request: inout fuse_buf, _ bytes: UnsafeRawBufferPointer) {
        let raw = RawRequest(bytes)
        clearsPrivileges = raw.clearsPrivileges
        guard !context.agreement.isDone else { return fuse_session_process_buf(session, &request) }
        context.agreement.note(raw)
        fuse_session_process_buf(session, &request)
    }

    /// At least `size` bytes that last until the next call on this thread. Throws EINVAL beyond what the kernel can ask for.
    func buffer(_ size: Int) throws(Errno) -> UnsafeMutableRawBufferPointer {
        guard size >= 0, size <= 64 << 20 else { throw Errno(EINVAL) }
        if size > replyBuffer.count {
            replyBuffer.deallocate()
            replyBuffer = .allocate(byteCount: size, alignment: 4096)
        }
        return UnsafeMutableRawBufferPointer(rebasing: replyBuffer[..<size])
    }
}
