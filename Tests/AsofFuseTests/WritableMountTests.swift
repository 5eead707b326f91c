import AsofCore
import AsofFileSystem
import AsofFuse
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

extension MountTests {
    @Suite("A writable mount")
    struct WritableTests {
        @Test
        func `answers what a client writes, reads and removes`() async throws {
            let memory = MemoryFileSystem()
            let mounted = try Mounted(memory)
            try await onThread(mounted) {
                let path = mounted.path
                try SystemCall.makeDirectory(path + "/d", mode: 0o755)
                let file = try SystemCall.open(path + "/d/f", O_RDWR | O_CREAT, mode: 0o644)
                try SystemCall.writeFully(file.raw, at: 0, Array("hello".utf8))
                #expect(try SystemCall.readFully(file.raw, at: 0, length: 100) == Array("hello".utf8))
                #expect(try SystemCall.status(path + "/d/f").attributes.size == 5)
                #expect(throws: Errno(ENOTEMPTY)) { try SystemCall.removeDirectory(path + "/d") }
                try file.close()
                #expect(eventually { memory.openHandles == 0 })
            }
            try await onThread(mounted) { try mounted.unmount() }
            #expect(!mounted.mount.isMounted)
        }

        /// FUSE_HANDLE_KILLPRIV_V2 is agreed on: see InitialAgreement.
        @Test
        func `asks for no extended attribute before a write`() async throws {
            let memory = MemoryFileSystem()
            let mounted = try Mounted(memory)
            try await onThread(mounted) {
                let file = try SystemCall.open(mounted.path + "/f", O_RDWR | O_CREAT | O_APPEND, mode: 0o644)
                let line = [UInt8](repeating: 0x61, count: 100)
                for _ in 0..<2000 { try SystemCall.writeFully(file.raw, line) }
                #expect(try SystemCall.status(file.raw).attributes.size == 200_000)
            }
            #expect(memory.count(of: .write) >= 2000)
            #expect(memory.count(of: .getExtended) <= 2)
            #expect(memory.privilegeClearings == 0)
        }

        @Test
        func `says who asks and that bits must go`() async throws {
            let memory = MemoryFileSystem()
            let mounted = try Mounted(memory)
            try await onThread(mounted) {
                let path = mounted.path
                let file = try SystemCall.open(path + "/f", O_RDWR | O_CREAT, mode: 0o666)
                try SystemCall.changeMode(file.raw, 0o666)
                let user = try NamedThread("user") {
                    try? SystemCall.setThreadOwner(user: 1000, group: 1000)
                    if let file = try? SystemCall.open(path + "/f", O_WRONLY) {
                        try? SystemCall.writeFully(file.raw, at: 0, [1])
                    }
                }
                user.join()
                #expect(memory.privilegeClearings == 1)
            }
        }

        @Test
        func `keeps what it knows: a second look asks nothing`() async throws {
            let memory = MemoryFileSystem()
            let mounted = try Mounted(memory)
            try await onThread(mounted) {
                let path = mounted.path
                let file = try SystemCall.open(path + "/f", O_RDWR | O_CREAT, mode: 0o644)
                try SystemCall.writeFully(file.raw, at: 0, [UInt8](repeating: 1, count: 100_000))
                _ = try SystemCall.readAll(path: path + "/f")
                _ = try? SystemCall.status(path + "/missing")
                // Reading leaves the access time unknown, once.
                _ = try SystemCall.status(path + "/f")
                let calls: [MemoryFileSystem.Call] = [.lookup, .attributes, .read]
                let before = calls.map { memory.count(of: $0) }
                for _ in 0..<50 {
                    _ = try SystemCall.status(path + "/f")
                    _ = try SystemCall.readAll(path: path + "/f")
                    #expect(throws: Errno(ENOENT)) { try SystemCall.status(path + "/missing") }
                }
                #expect(calls.map { memory.count(of: $0) } == before)
                // A missing name that is made is found.
                _ = try SystemCall.open(path + "/missing", O_RDWR | O_CREAT, mode: 0o644)
                #expect(try SystemCall.status(path + "/missing").attributes.size == 0)
            }
        }

        @Test
        func `gives every reference back`() async throws {
            let memory = MemoryFileSystem()
            let mounted = try Mounted(memory)
            try await onThread(mounted) {
                for number in 0..<200 {
                    _ = try SystemCall.open(mounted.path + "/\(number)", O_RDWR | O_CREAT, mode: 0o644)
                }
                for number in 0..<200 { try SystemCall.unlink(mounted.path + "/\(number)") }
                #expect(eventually { memory.nodeCount == 1 })
            }
        }

        @Test(arguments: [1, 2, 4])
        func `serves many clients at once`(threads: Int) async throws {
            let memory = MemoryFileSystem()
            let mounted = try Mounted(memory, MountOptions(allowOther: true, threads: threads))
            try await onThread(mounted) {
                let base = mounted.path
                let clients = try (0..<8).map { client in
                    try NamedThread("client") {
                        for number in 0..<100 {
                            let path = base + "/\(client)-\(number)"
                            guard let file = try? SystemCall.open(path, O_RDWR | O_CREAT, mode: 0o644) else { return }
                            try? SystemCall.writeFully(file.raw, at: 0, Array("\(client) \(number)".utf8))
                        }
                    }
                }
                for client in clients { client.join() }
                for client in 0..<8 {
                    for number in 0..<100 {
                        let found = try SystemCall.readAll(path: base + "/\(client)-\(number)")
                        #expect(String(decoding: found, as: UTF8.self) == "\(client) \(number)")
                    }
                }
            }
        }

        @Test
        func `moves large pieces whole`() async throws {
            let memory = MemoryFileSystem()
            let mounted = try Mounted(memory)
            try await onThread(mounted) {
                var content = [UInt8](repeating: 0, count: 4 << 20)
                for index in content.indices { content[index] = UInt8(truncatingIfNeeded: index &* 2_654_435_761 >> 13) }
                let file = try SystemCall.open(mounted.path + "/f", O_RDWR | O_CREAT, mode: 0o644)
                try SystemCall.writeFully(file.raw, at: 0, content)
                #expect(memory.count(of: .write) <= 8)
                // Direct reads pass the page cache by.
                let direct = try SystemCall.open(mounted.path + "/f", O_RDONLY | 0o40000)
                let found = try SystemCall.readFully(direct.raw, at: 0, length: content.count)
                #expect(found == content)
            }
        }
    }
}
