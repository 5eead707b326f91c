import AsofCore
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

@Suite("System calls")
struct SystemCallTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory("calls") }

    @Test func `a missing file is ENOENT and a NUL in a path is refused`() {
        #expect(throws: Errno(ENOENT)) { _ = try SystemCall.readAll(path: directory.path("none")) }
        #expect(throws: Errno(EINVAL)) { _ = try SystemCall.readAll(path: directory.path + "\0/x") }
        #expect(throws: Errno(EINVAL)) { _ = try SystemCall.status(at: AT_FDCWD, [0x61, 0, 0x62] as [UInt8]) }
    }

    @Test(arguments: [0, 1, 4095, 4096, 4097, 300_000])
    func `what is written is read back`(size: Int) throws {
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try directory.write("f", bytes)
        #expect(try directory.read("f") == bytes)
        let file = try SystemCall.open(directory.path("f"), O_RDONLY)
        #expect(try SystemCall.readFully(file.raw, at: UInt64(size), length: 10) == [])
        #expect(try SystemCall.readFully(file.raw, at: 0, length: size + 10) == bytes)
        #expect(try SystemCall.status(file.raw).attributes.size == UInt64(size))
    }

    @Test func `files of proc are read whole, also those that answer once`() throws {
        let text = String(decoding: try SystemCall.readAll(path: "/proc/sys/kernel/ostype"), as: UTF8.self)
        #expect(text == "Linux\n")
        #expect(try SystemCall.readAll(path: "/proc/self/maps").count > 5000)
    }

    @Test func `reading more than the limit is refused`() throws {
        try directory.write("f", [UInt8](repeating: 1, count: 100))
        #expect(throws: Errno(EFBIG)) { _ = try SystemCall.readAll(path: directory.path("f"), limit: 99) }
        #expect(try SystemCall.readAll(path: directory.path("f"), limit: 100).count == 100)
        #expect(throws: Errno(EFBIG)) { _ = try SystemCall.readAll(path: "/dev/zero", limit: 10_000) }
    }

    @Test func `offsets beyond what the kernel takes are EOVERFLOW`() throws {
        try directory.write("f", [1])
        let file = try SystemCall.open(directory.path("f"), O_RDWR)
        #expect(throws: Errno(EOVERFLOW)) { _ = try SystemCall.readFully(file.raw, at: .max, length: 1) }
        #expect(throws: Errno(EOVERFLOW)) { try SystemCall.writeFully(file.raw, at: .max, [1]) }
        #expect(throws: Errno(EOVERFLOW)) { try SystemCall.truncate(file.raw, to: .max) }
    }

    @Test func `vectors are written in order, past the limit of one call and with empty ones between`() throws {
        var bytes = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let file = try SystemCall.open(directory.path("v"), O_RDWR | O_CREAT, mode: 0o600)
        try bytes.withUnsafeMutableBytes { buffer in
            var pieces: [iovec] = []
            for index in 0..<2500 {
                pieces.append(iovec(iov_base: buffer.baseAddress.map { $0 + index * 2 }, iov_len: 2))
                if index % 10 == 0 { pieces.append(iovec(iov_base: nil, iov_len: 0)) }
            }
            try SystemCall.writeFully(file.raw, at: 3, vectors: &pieces)
        }
        #expect(try SystemCall.readAll(file.raw) == [0, 0, 0] + bytes)
    }

    @Test func `a whole file is copied, also from where the kernel does not know the size`() throws {
        let bytes = (0..<2_500_000).map { UInt8(truncatingIfNeeded: $0 &* 13) }
        try directory.write("a", bytes)
        let source = try SystemCall.open(directory.path("a"), O_RDONLY)
        let target = try SystemCall.open(directory.path("b"), O_RDWR | O_CREAT, mode: 0o600)
        #expect(try SystemCall.copyWhole(from: source.raw, to: target.raw) == 2_500_000)
        #expect(try directory.read("b") == bytes)
        let status = try SystemCall.open("/proc/self/status", O_RDONLY)
        let copy = try SystemCall.open(directory.path("c"), O_RDWR | O_CREAT, mode: 0o600)
        #expect(try SystemCall.copyWhole(from: status.raw, to: copy.raw) > 100)
    }

    @Test func `rename replaces, refuses or swaps as told`() throws {
        try directory.write("a", [1])
        try directory.write("b", [2])
        let folder = try directory.open()
        #expect(throws: Errno(EEXIST)) {
            try SystemCall.rename(at: folder.raw, "a", to: folder.raw, "b", flags: .noReplace)
        }
        try SystemCall.rename(at: folder.raw, "a", to: folder.raw, "b", flags: .exchange)
        #expect(try directory.read("a") == [2])
        try SystemCall.rename(at: folder.raw, "a", to: folder.raw, "b")
        #expect(try directory.names() == ["b"])
        #expect(try directory.read("b") == [2])
        #expect(throws: Errno(EINVAL)) { try SystemCall.rename(at: folder.raw, "b", to: folder.raw, "x\0y") }
    }

    @Test func `links of each sort, and reading a long target`() throws {
        try directory.write("a", [1])
        let folder = try directory.open()
        try SystemCall.link(at: folder.raw, "a", to: folder.raw, "hard")
        let file = try SystemCall.open(at: folder.raw, "a", SystemCall.O_PATH)
        try SystemCall.link(descriptor: file.raw, to: folder.raw, "again")
        #expect(try SystemCall.status(file.raw).attributes.links == 3)
        let target = [UInt8](repeating: 0x78, count: 3000)
        try SystemCall.symbolicLink(target: target, at: folder.raw, "soft")
        #expect(try SystemCall.readLink(at: folder.raw, "soft") == target)
        #expect(try SystemCall.status(at: folder.raw, "soft").attributes.kind == .symbolicLink)
        #expect(throws: Errno(EINVAL)) { _ = try SystemCall.readLink(at: folder.raw, "a") }
    }

    @Test func `times to the nanosecond, before 1970 too, by any descriptor`() throws {
        try directory.write("a", [1])
        let folder = try directory.open()
        try SystemCall.symbolicLink(target: "a", at: folder.raw, "soft")
        let before = try SystemCall.status(at: folder.raw, "a").attributes.modified
        let time = Instant(nanoseconds: -1_500_000_001)
        let link = try SystemCall.open(at: folder.raw, "soft", SystemCall.O_PATH | O_NOFOLLOW)
        try SystemCall.setTimes(link.raw, accessed: .unchanged, modified: .instant(time))
        #expect(try SystemCall.status(at: folder.raw, "soft").attributes.modified == time)
        #expect(try SystemCall.status(at: folder.raw, "a").attributes.modified == before)
        let file = try SystemCall.open(at: folder.raw, "a", O_RDONLY)
        try SystemCall.setTimes(file.raw, accessed: .instant(time), modified: .now)
        #expect(try SystemCall.status(file.raw).accessed == time)
    }

    @Test func `mode and owner by a descriptor that can only name the file`() throws {
        try directory.write("a", [1])
        let file = try SystemCall.open(directory.path("a"), SystemCall.O_PATH)
        try SystemCall.changeMode(file.raw, 0o640)
        #expect(try SystemCall.status(file.raw).attributes.mode & 0o7777 == 0o640)
        try SystemCall.changeOwner(file.raw, owner: nil, group: nil)
        guard getuid() == 0 else { return }
        try SystemCall.changeOwner(file.raw, owner: 12, group: nil)
        #expect(try SystemCall.status(file.raw).attributes.owner == 12)
        #expect(try SystemCall.status(file.raw).attributes.group == getgid())
    }

    @Test func `extended attributes, large ones, and those of a symbolic link itself`() throws {
        try directory.write("a", [1])
        let file = try SystemCall.open(directory.path("a"), SystemCall.O_PATH)
        let large = [UInt8](repeating: 7, count: 2000)
        try SystemCall.setExtendedAttribute(file.raw, "user.large", large)
        try SystemCall.setExtendedAttribute(file.raw, "user.empty", [])
        #expect(try SystemCall.extendedAttribute(file.raw, "user.large") == large)
        #expect(try SystemCall.extendedAttribute(file.raw, "user.empty") == [])
        #expect(
            try SystemCall.extendedAttributeNames(file.raw).map { String(decoding: $0, as: UTF8.self) }.sorted() == [
                "user.empty", "user.large",
            ])
        #expect(throws: Errno(EEXIST)) {
            try SystemCall.setExtendedAttribute(file.raw, "user.empty", [1], flags: SystemCall.XATTR_CREATE)
        }
        try SystemCall.removeExtendedAttribute(file.raw, "user.empty")
        #expect(throws: Errno(ENODATA)) { _ = try SystemCall.extendedAttribute(file.raw, "user.empty") }
        guard getuid() == 0 else { return }
        let folder = try directory.open()
        try SystemCall.symbolicLink(target: "a", at: folder.raw, "soft")
        let link = try SystemCall.open(at: folder.raw, "soft", SystemCall.O_PATH | O_NOFOLLOW)
        try SystemCall.setExtendedAttribute(link.raw, "trusted.mine", [1])
        #expect(try SystemCall.extendedAttribute(link.raw, "trusted.mine") == [1])
        #expect(throws: Errno(ENODATA)) { _ = try SystemCall.extendedAttribute(file.raw, "trusted.mine") }
    }

    @Test func `the owner of new files belongs to one thread`() throws {
        guard getuid() == 0 else { return }
        let failure = Lock<Errno?>(nil)
        try SystemCall.changeMode(at: AT_FDCWD, directory.path, 0o777)
        let directory = directory
        try NamedThread("other user") {
            do throws(Errno) {
                try SystemCall.setThreadOwner(user: 65534, group: 65533)
                try directory.write("theirs", [])
            } catch {
                failure.withLock { $0 = error }
            }
        }.join()
        try directory.write("ours", [])
        #expect(failure.withLock { $0 } == nil)
        let theirs = try SystemCall.status(directory.path("theirs")).attributes
        #expect((theirs.owner, theirs.group) == (65534, 65533))
        #expect(try SystemCall.status(directory.path("ours")).attributes.owner == 0)
    }

    @Test func `an advisory lock has one holder`() throws {
        try directory.write("lock", [])
        let first = try SystemCall.open(directory.path("lock"), O_RDWR)
        #expect(try SystemCall.tryLock(first.raw))
        do {
            let second = try SystemCall.open(directory.path("lock"), O_RDWR)
            #expect(try !SystemCall.tryLock(second.raw))
            try SystemCall.unlock(first.raw)
            #expect(try SystemCall.tryLock(second.raw))
        }
        #expect(try SystemCall.tryLock(first.raw))
    }

    @Test func `space, holes and limits`() throws {
        let file = try SystemCall.open(directory.path("a"), O_RDWR | O_CREAT, mode: 0o600)
        try SystemCall.allocate(file.raw, offset: 0, length: 1 << 20)
        #expect(try SystemCall.status(file.raw).attributes.size == 1 << 20)
        #expect(try SystemCall.status(file.raw).blocks >= 2048)
        try SystemCall.truncate(file.raw, to: 5)
        #expect(try SystemCall.readAll(file.raw) == [0, 0, 0, 0, 0])
        try SystemCall.syncData(file.raw)
        try SystemCall.syncFileSystem(file.raw)
        let system = try SystemCall.fileSystemStatus(file.raw)
        #expect(system.availableBytes > 0 && system.longestName == 255 && system.type != 0)
        #expect(try SystemCall.raiseDescriptorLimit() >= 64)
        let own = String(directory.path.split(separator: "/").last ?? "")
        #expect(try SystemCall.realPath(directory.path + "/./../" + own) == directory.path)
    }

    @Test func `a shared mapping and the file are the same bytes`() throws {
        let file = try SystemCall.open(directory.path("m"), O_RDWR | O_CREAT, mode: 0o600)
        try SystemCall.allocate(file.raw, offset: 0, length: 10_000)
        let mapping = try SharedMapping(file.raw, length: 10_000)
        try mapping.prefault()
        mapping.bytes[5000] = 42
        try mapping.sync(4990..<5010)
        try mapping.sync(9_999_999..<10_000_000)
        #expect(try SystemCall.readFully(file.raw, at: 5000, length: 1) == [42])
        try SystemCall.writeFully(file.raw, at: 9999, [43])
        #expect(mapping.bytes[9999] == 43)
        #expect(throws: Errno(EINVAL)) { _ = try SharedMapping(file.raw, length: 0) }
    }

    @Test func `closing twice cannot happen and a closed number is free again`() throws {
        try directory.write("a", [])
        let file = try SystemCall.open(directory.path("a"), O_RDONLY)
        let number = file.raw
        try file.close()
        #expect(throws: Errno(EBADF)) { try OwnedDescriptor(taking: 1_000_000).close() }
        let shared = SharedDescriptor(try SystemCall.open(directory.path("a"), O_RDONLY))
        let other = try shared.duplicate()
        #expect(try SystemCall.status(other.raw) == shared.withRaw { (raw) throws(Errno) in try SystemCall.status(raw) })
        #expect(number >= 0)
    }
}
