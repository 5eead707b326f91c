internal import AsofCore
internal import AsofFileSystem
internal import CFuse3
internal import Glibc

/// One request of the kernel, answered exactly once: one that is dropped is answered with EIO.
///
/// An answer that hands out a reference (a look-up count, a handle) says false where the kernel did not take it: it has
/// interrupted the request and will never give the reference back.
struct PendingReply: ~Copyable {
    let handle: fuse_req_t

    init(_ handle: fuse_req_t) { self.handle = handle }

    deinit { fuse_reply_err(handle, EIO) }

    /// Nil only where libfuse lost its user data, which it does not.
    var context: SessionContext? {
        fuse_req_userdata(handle).map { Unmanaged<SessionContext>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Who asks.
    func request(_ context: SessionContext, clearsPrivileges: Bool = false) -> Request {
        guard let caller = fuse_req_ctx(handle) else { return Request() }
        return Request(
            user: caller.pointee.uid, group: caller.pointee.gid, process: caller.pointee.pid,
            clearsPrivileges: clearsPrivileges || context.worker?.clearsPrivileges ?? false)
    }

    consuming func fail(_ error: Errno) {
        // libfuse and the kernel refuse anything else.
        let code = (1..<512).contains(error.rawValue) ? error.rawValue : EIO
        fuse_reply_err(handle, code)
        discard self
    }

    consuming func succeed() {
        fuse_reply_err(handle, 0)
        discard self
    }

    /// For requests that want no answer.
    consuming func drop() {
        fuse_reply_none(handle)
        discard self
    }

    consuming func entry(_ entry: fuse_entry_param) -> Bool {
        let isTaken = withUnsafePointer(to: entry) { fuse_reply_entry(handle, $0) } == 0
        discard self
        return isTaken
    }

    consuming func created(_ entry: fuse_entry_param, _ file: UnsafePointer<fuse_file_info>) -> Bool {
        let isTaken = withUnsafePointer(to: entry) { fuse_reply_create(handle, $0, file) } == 0
        discard self
        return isTaken
    }

    consuming func opened(_ file: UnsafePointer<fuse_file_info>) -> Bool {
        let isTaken = fuse_reply_open(handle, file) == 0
        discard self
        return isTaken
    }

    consuming func attributes(_ status: stat, timeout: Double) {
        withUnsafePointer(to: status) { _ = fuse_reply_attr(handle, $0, timeout) }
        discard self
    }

    @discardableResult
    consuming func bytes(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let isTaken = fuse_reply_buf(handle, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count) == 0
        discard self
        return isTaken
    }

    consuming func written(_ count: Int) {
        fuse_reply_write(handle, count)
        discard self
    }

    /// The size of an extended attribute (or of the list of names), for a caller that asked with a buffer of none.
    consuming func length(_ count: Int) {
        fuse_reply_xattr(handle, count)
        discard self
    }

    consuming func statistics(_ statistics: statvfs) {
        withUnsafePointer(to: statistics) { _ = fuse_reply_statfs(handle, $0) }
        discard self
    }
}

extension PendingReply {
    /// Answers with success once `body` returns, or with the error that it throws.
    static func done(_ handle: fuse_req_t?, _ body: (borrowing PendingReply, SessionContext) throws(Errno) -> Void) {
        guard let handle else { return }
        let reply = PendingReply(handle)
        guard let context = reply.context else { return }
        do throws(Errno) {
            try body(reply, context)
            reply.succeed()
        } catch {
            reply.fail(error)
        }
    }

    /// The same for a change: EROFS where the mount is read-only.
    static func changed(_ handle: fuse_req_t?, _ body: (borrowing PendingReply, SessionContext) throws(Errno) -> Void) {
        done(handle) { (reply, context) throws(Errno) in
            if context.isReadOnly { throw Errno(EROFS) }
            try body(reply, context)
        }
    }

    /// Answers a change with the node that it made; a node that the kernel does not take is forgotten.
    static func made(_ handle: fuse_req_t?, _ body: (borrowing PendingReply, SessionContext) throws(Errno) -> Node) {
        guard let handle else { return }
        let reply = PendingReply(handle)
        guard let context = reply.context else { return }
        do throws(Errno) {
            if context.isReadOnly { throw Errno(EROFS) }
            let node = try body(reply, context)
            if !reply.entry(context.entry(node)) { context.fileSystem.forget(node.id, count: 1) }
        } catch {
            reply.fail(error)
        }
    }

    /// Answers with the node's attributes.
    static func attributes(_ handle: fuse_req_t?, _ body: (borrowing PendingReply, SessionContext) throws(Errno) -> Node) {
        guard let handle else { return }
        let reply = PendingReply(handle)
        guard let context = reply.context else { return }
        do throws(Errno) {
            let node = try body(reply, context)
            reply.attributes(node.status, timeout: context.timeout(of: node.id))
        } catch {
            reply.fail(error)
        }
    }

    /// Answers with bytes: the value of an extended attribute or the list of names, by the rules of getxattr(2).
    static func value(
        _ handle: fuse_req_t?, capacity: Int, _ body: (borrowing PendingReply, SessionContext) throws(Errno) -> [UInt8]
    ) {
        guard let handle else { return }
        let reply = PendingReply(handle)
        guard let context = reply.context else { return }
        do throws(Errno) {
            let value = try body(reply, context)
            if capacity == 0 {
                reply.length(value.count)
            } else if value.count > capacity {
                reply.fail(Errno(ERANGE))
            } else {
                value.withUnsafeBytes { _ = fuse_reply_buf(handle, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count) }
                reply.answered()
            }
        } catch {
            reply.fail(error)
        }
    }

    /// For an answer that was given through `handle` itself.
    consuming func answered() { discard self }
}

extension Name {
    /// A name from the kernel. It knows no limit of 255 bytes: ENAMETOOLONG is ours to say.
    init(kernel pointer: UnsafePointer<CChar>?) throws(Errno) {
        guard let pointer else { throw Errno(EINVAL) }
        let length = strlen(pointer)
        guard length > 0 else { throw Errno(EINVAL) }
        guard length <= 255 else { throw Errno(ENAMETOOLONG) }
        self.init(unchecked: Array(UnsafeRawBufferPointer(start: pointer, count: length)))
    }
}
