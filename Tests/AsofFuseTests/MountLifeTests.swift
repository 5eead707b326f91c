import AsofCore
import AsofFuse
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

extension MountTests {
    @Suite("A mount's life and its failures")
    struct LifeTests {
        @Test
        func `a mount point that is missing or a file is refused`() throws {
            let missing = #expect(throws: AsofError.self) {
                try FuseMount(fileSystem: MemoryFileSystem(), mountPoint: "/tmp/asof-no-such-directory")
            }
            #expect(missing?.message == "mount point /tmp/asof-no-such-directory does not exist")
            #expect(missing?.hint == "Create it: mkdir -p /tmp/asof-no-such-directory")
            let file = #expect(throws: AsofError.self) {
                try FuseMount(fileSystem: MemoryFileSystem(), mountPoint: "/etc/passwd")
            }
            #expect(file?.message == "mount point /etc/passwd is not a directory")
        }

        @Test
        func `a mount whose server is gone is named as such`() async throws {
            let mounted = try Mounted(MemoryFileSystem())
            try await onThread(mounted) {
                let stale = mounted.model
                // A connection that nobody serves, cut by closing its only descriptor.
                let device = try SystemCall.open("/dev/fuse", O_RDWR)
                let options = "fd=\(device.raw),rootmode=40000,user_id=0,group_id=0"
                try #require(Glibc.mount("stale", stale, "fuse", 0, options) == 0)
                try device.close()
                defer { umount2(stale, Int32(MNT_DETACH)) }
                let error = #expect(throws: AsofError.self) { try FuseMount(fileSystem: MemoryFileSystem(), mountPoint: stale) }
                #expect(error?.message == "\(stale) is a mount whose server is gone")
                #expect(error?.hint == "Take it away first: asof umount \(stale)")
            }
        }

        @Test
        func `is in use until the last file is closed, then goes, once`() async throws {
            let mounted = try Mounted(MemoryFileSystem())
            try await onThread(mounted) {
                let file = try SystemCall.open(mounted.path + "/f", O_RDWR | O_CREAT, mode: 0o644)
                let busy = #expect(throws: AsofError.self) { try mounted.mount.unmount() }
                #expect(busy?.message == "\(mounted.path) is in use")
                try file.close()
                try mounted.unmount()
                try mounted.mount.unmount()
                try mounted.mount.unmount(lazy: true)
                #expect(!mounted.mount.isMounted)
            }
        }

        @Test
        func `a lazy end lets open files go on`() async throws {
            let mounted = try Mounted(MemoryFileSystem())
            try await onThread(mounted) {
                let file = try SystemCall.open(mounted.path + "/f", O_RDWR | O_CREAT, mode: 0o644)
                try mounted.mount.unmount(lazy: true)
                #expect(!mounted.mount.isMounted)
                try SystemCall.writeFully(file.raw, at: 0, [1, 2, 3])
                let found = try SystemCall.readFully(file.raw, at: 0, length: 9)
                #expect(found == [1, 2, 3])
                try file.close()
                try mounted.mount.wait()
            }
        }

        @Test
        func `a cut ends the session though files are open`() async throws {
            let mounted = try Mounted(MemoryFileSystem())
            try await onThread(mounted) {
                let file = try SystemCall.open(mounted.path + "/f", O_RDWR | O_CREAT, mode: 0o644)
                mounted.mount.abort()
                try mounted.mount.wait()
                #expect(throws: Errno.self) { try SystemCall.writeFully(file.raw, at: 0, [1]) }
            }
        }

        @Test
        func `a mount that was never served goes away with its owner`() async throws {
            let mounted = try Mounted(MemoryFileSystem())
            try await onThread(mounted) {
                let path = mounted.model
                do {
                    let second = try FuseMount(fileSystem: MemoryFileSystem(), mountPoint: path)
                    #expect(second.isMounted)
                }
                let table = String(decoding: try SystemCall.readAll(path: "/proc/self/mountinfo"), as: UTF8.self)
                #expect(!table.contains(" \(path) "))
            }
        }

        /// Mounts over each other: each owner takes away its own.
        @Test
        func `another mount at the same place is left alone`() async throws {
            let mounted = try Mounted(MemoryFileSystem())
            try await onThread(mounted) {
                let below = try FuseMount(fileSystem: MemoryFileSystem(), mountPoint: mounted.model)
                try below.start()
                let above = try FuseMount(fileSystem: MemoryFileSystem(), mountPoint: mounted.model)
                try above.start()
                try below.unmount(lazy: true)
                #expect(above.isMounted)
                try above.unmount()
                try above.wait()
                #expect(below.isMounted)
                try below.unmount()
                try below.wait()
            }
        }

        @Test
        func `names and options reach the mount table`() async throws {
            let options = MountOptions(allowOther: true, fileSystemName: "a,b\\c d", subtype: "asof", isReadOnly: true)
            let mounted = try Mounted(MemoryFileSystem(), options)
            let table = String(decoding: try SystemCall.readAll(path: "/proc/self/mountinfo"), as: UTF8.self)
            let line = try #require(table.split(separator: "\n").first { $0.contains(" \(mounted.path) ") })
            #expect(line.contains(" - fuse.asof a,b\\134c\\040d ro,"))
            #expect(line.contains("default_permissions") && line.contains("allow_other"))
        }
    }
}
