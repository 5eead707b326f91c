import Testing

@testable import AsofFuse

@Suite("What is read beside libfuse")
struct DecodingTests {
    private static let table = Array(
        """
        22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
        60 22 0:51 / /mnt/a\\040b rw - fuse.asof asof rw
        61 22 0:52 / /mnt/twice rw - fuse.asof asof rw
        62 61 0:53 / /mnt/twice rw - fuse.asof asof rw
        63 22 0:54 / /mnt/tail\\04 rw - fuse.asof asof rw
        broken line

        """.utf8)

    @Test(arguments: [
        ("/", "254:0"),
        ("/mnt/a b", "0:51"),
        // The later one lies on top.
        ("/mnt/twice", "0:53"),
        // An escape that is cut short stands for itself.
        ("/mnt/tail\\04", "0:54"),
        ("/mnt", nil),
        ("", nil),
    ] as [(String, String?)])
    func `the mount table knows the topmost mount`(path: String, device: String?) {
        #expect(MountTable.device(at: Array(path.utf8), in: Self.table) == device)
    }

    @Test func `the owner of the topmost mount is told where its file system says so`() {
        let table = Array("""
            31 30 0:40 / /mnt/past ro shared:5 - fuse.asof /repo ro,user_id=1000,group_id=1000
            32 30 0:41 / /mnt/over rw - fuse.asof x rw,user_id=0
            33 30 0:42 / /mnt/over rw - tmpfs none rw
            34 30 0:43 / /mnt/odd rw - fuse.asof x rw,user_id=-1
            35 30 0:44 / /mnt/short rw - fuse.asof
            """.utf8)
        let owners = ["past", "over", "odd", "short", "none"].map { MountTable.owner(at: Array("/mnt/\($0)".utf8), in: table) }
        #expect(owners == [1000, nil, nil, nil, nil])
    }

    @Test func `the type of the topmost mount is told, and of nothing else`() {
        let table = Array("""
            30 1 8:1 / / rw - ext4 /dev/a rw
            31 30 0:40 / /mnt/past ro shared:5 master:2 - fuse.asof asof ro
            32 30 0:41 / /mnt/over rw - fuse.asof-record x rw
            33 30 0:42 / /mnt/over rw - tmpfs none rw
            34 30 0:43 / /mnt/short
            """.utf8)
        #expect(MountTable.type(at: Array("/mnt/past".utf8), in: table) == "fuse.asof")
        #expect(MountTable.type(at: Array("/mnt/over".utf8), in: table) == "tmpfs")
        #expect(MountTable.type(at: Array("/mnt/short".utf8), in: table) == nil)
        #expect(MountTable.type(at: Array("/mnt".utf8), in: table) == nil)
    }

    /// A request with one 32-bit word set behind the header of 40 bytes.
    private static func request(_ opcode: UInt32, wordAt offset: Int, _ value: UInt32, length: Int = 104) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: length)
        bytes.withUnsafeMutableBytes { buffer in
            buffer.storeBytes(of: opcode, toByteOffset: 4, as: UInt32.self)
            if offset + 4 <= length { buffer.storeBytes(of: value, toByteOffset: offset, as: UInt32.self) }
        }
        return bytes
    }

    @Test(arguments: [
        (16, 60, 1 << 2),  // write: write_flags
        (4, 40, 1 << 11),  // setattr: valid
        (14, 44, 1),  // open: open_flags
        (35, 52, 1),  // create: open_flags
    ] as [(UInt32, Int, UInt32)])
    func `the wish to clear privileges is found, and nothing else is taken for it`(opcode: UInt32, offset: Int, bit: UInt32) {
        func clears(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { RawRequest($0).clearsPrivileges } }
        #expect(clears(Self.request(opcode, wordAt: offset, bit)))
        #expect(!clears(Self.request(opcode, wordAt: offset, ~bit)))
        #expect(!clears(Self.request(15, wordAt: offset, bit)))
        for length in 8...offset + 3 { #expect(!clears(Self.request(opcode, wordAt: offset, bit, length: length))) }
    }

    @Test
    func `option texts escape what libfuse would split at`() {
        let options = MountOptions(allowOther: true, fileSystemName: "a,b\\c", subtype: "x")
        #expect(options.optionText(isReadOnly: true) == "fsname=a\\,b\\\\c,subtype=x,default_permissions,allow_other,ro")
    }

    @Test
    func `copies of mounts that nothing propagates to are known`() {
        let table = Array(
            """
            27 1 254:0 / / rw - ext4 /dev/vda rw
            40 27 0:50 / /mnt/alone rw,nosuid - fuse.asof repo rw,user_id=0
            41 27 0:51 / /mnt/heard rw,nosuid master:7 - fuse.asof repo rw,user_id=0
            42 27 0:52 / /mnt/a\\040b rw shared:3 - fuse.asof-record /data rw,user_id=0
            43 27 0:53 / /mnt/foreign rw - fuse.sshfs host rw
            44 27 0:54
            """.utf8)
        #expect(MountTable.copies(in: table) == ["/mnt/alone\0", "/mnt/a b\0"].map { Array($0.utf8) })
        #expect(MountTable.recorded(in: table).map(\.backing) == ["/data"] && MountTable.recorded(in: table).map(\.mountPoint) == ["/mnt/a b"])
    }
}
