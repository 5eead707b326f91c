/// A request as the kernel wrote it, for what libfuse 3.14 reads past. Layouts: `linux/fuse.h`, in the machine's byte order.
struct RawRequest {
    private let bytes: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    private enum Opcode {
        static let setattr: UInt32 = 4
        static let open: UInt32 = 14
        static let write: UInt32 = 16
        static let initialize: UInt32 = 26
        static let create: UInt32 = 35
    }

    /// Length of `struct fuse_in_header`.
    private static let header = 40

    /// The kernel wants set-user-id and set-group-id bits gone with this change (it knows whether the caller has CAP_FSETID).
    var clearsPrivileges: Bool {
        switch word(at: 4) {
        case Opcode.write: word(at: Self.header + 20) & 1 << 2 != 0  // FUSE_WRITE_KILL_SUIDGID in fuse_write_in.write_flags
        case Opcode.setattr: word(at: Self.header) & 1 << 11 != 0  // FATTR_KILL_SUIDGID in fuse_setattr_in.valid
        case Opcode.open: word(at: Self.header + 4) & 1 != 0  // FUSE_OPEN_KILL_SUIDGID in fuse_open_in.open_flags
        case Opcode.create: word(at: Self.header + 12) & 1 != 0  // the same in fuse_create_in.open_flags
        default: false
        }
    }

    /// The features that INIT offers; nil for every other request.
    var offeredFeatures: UInt32? {
        word(at: 4) == Opcode.initialize ? word(at: Self.header + 12) : nil
    }

    /// Zero beyond the end: such a request is libfuse's to refuse.
    private func word(at offset: Int) -> UInt32 {
        guard offset + 4 <= bytes.count else { return 0 }
        return bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
    }
}
