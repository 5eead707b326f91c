import AsofCore
import AsofFileSystem
import AsofFuse
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

extension MountTests {
    @Suite("A read-only mount")
    struct ReadOnlyTests {
        /// 300 small files in `d`, and a link to one.
        private static func filled() throws -> MemoryFileSystem {
            let memory = MemoryFileSystem()
            let request = Request()
            let directory = try memory.makeDirectory(Name(unchecked: Array("d".utf8)), in: 1, mode: 0o755, request)
            for number in 0..<300 {
                try add("file-\(number)", Array("content \(number)".utf8), in: directory.id, to: memory)
            }
            let link = Name(unchecked: Array("link".utf8))
            memory.forget(try memory.makeSymbolicLink(link, in: 1, target: Array("d/file-7".utf8), request).id, count: 1)
            return memory
        }

        private static func add(_ name: String, _ content: [UInt8], in parent: NodeID, to memory: MemoryFileSystem) throws {
            let (node, handle) = try memory.create(
                Name(unchecked: Array(name.utf8)), in: parent, mode: 0o644, flags: O_RDWR, Request())
            _ = try content.withUnsafeBytes { (bytes) throws(Errno) in
                try memory.write(node.id, handle: handle, offset: 0, bytes: bytes, Request())
            }
            memory.close(node.id, handle: handle)
            memory.forget(node.id, count: 1)
        }

        private static func readEverything(_ path: String) throws {
            let names = try TreeSnapshot.names(in: path + "/d")
            #expect(names.count == 300)
            for name in names {
                let number = name.split(separator: "-")[1]
                let found = try SystemCall.readAll(path: path + "/d/" + name)
                #expect(String(decoding: found, as: UTF8.self) == "content \(number)")
            }
            let linked = try SystemCall.readAll(path: path + "/link")
            #expect(linked == Array("content 7".utf8))
        }

        @Test
        func `shows what is there and refuses every change`() async throws {
            let mounted = try Mounted(try Self.filled().readOnlyFace)
            try await onThread(mounted) {
                let path = mounted.path
                try Self.readEverything(path)
                #expect(throws: Errno(EROFS)) { _ = try SystemCall.open(path + "/d/file-1", O_RDWR) }
                #expect(throws: Errno(EROFS)) { _ = try SystemCall.open(path + "/new", O_RDWR | O_CREAT, mode: 0o644) }
                #expect(throws: Errno(EROFS)) { try SystemCall.unlink(path + "/d/file-1") }
                #expect(throws: Errno(EROFS)) { try SystemCall.makeDirectory(path + "/new", mode: 0o755) }
                #expect(throws: Errno(EROFS)) { try SystemCall.changeMode(at: AT_FDCWD, path + "/d", 0o700) }
                let file = try SystemCall.open(path + "/d/file-1", O_RDONLY)
                try SystemCall.sync(file.raw)
            }
        }

        /// A second walk over names, attributes, lists and content stays in the kernel but for the opens.
        @Test
        func `is asked once`() async throws {
            let memory = try Self.filled().readOnlyFace
            let mounted = try Mounted(memory)
            try await onThread(mounted) {
                try Self.readEverything(mounted.path)
                #expect(memory.count(of: .flush) == 0)
                // The list is kept once a whole pass has filled the cache.
                _ = try TreeSnapshot.names(in: mounted.path + "/d")
                let calls: [MemoryFileSystem.Call] = [.lookup, .attributes, .read, .list]
                let before = calls.map { memory.count(of: $0) }
                try Self.readEverything(mounted.path)
                #expect(calls.map { memory.count(of: $0) } == before)
            }
        }

        @Test
        func `lists with attributes in one request for many names`() async throws {
            let memory = try Self.filled().readOnlyFace
            let mounted = try Mounted(memory)
            try await onThread(mounted) {
                let child = try ChildProcess.spawn("/bin/ls", arguments: ["ls", "-l", mounted.path + "/d"], output: .null)
                #expect(try child.wait() == .exited(0))
                #expect(memory.count(of: .lookup) >= 300)
                #expect(memory.count(of: .attributes) < 20)
            }
        }

        @Test(arguments: [true, false])
        func `reads ahead in large pieces where asked to`(isWritable: Bool) async throws {
            let writable = MemoryFileSystem()
            try Self.add("f", [UInt8](repeating: 5, count: 16 << 20), in: 1, to: writable)
            let memory = isWritable ? writable : writable.readOnlyFace
            let mounted = try Mounted(memory, MountOptions(allowOther: true, readsAhead: true))
            try await onThread(mounted) {
                let found = try SystemCall.readAll(path: mounted.path + "/f")
                #expect(found.count == 16 << 20)
                // 128 pieces of 128 KiB without `read_ahead_kb`.
                #expect(memory.count(of: .read) < 64)
            }
        }

        @Test
        func `sends no open where opens mean nothing`() async throws {
            let memory = StatelessMemory(try Self.filled().readOnlyFace)
            let mounted = try Mounted(memory)
            try await onThread(mounted) {
                // Its `open` fails: nothing could be read if the kernel asked.
                try Self.readEverything(mounted.path)
                #expect(memory.base.count(of: .openDirectory) == 0)
            }
        }

        @Test
        func `asks again for volatile names`() async throws {
            let memory = VolatileMemory(try Self.filled().readOnlyFace, volatile: [1])
            let mounted = try Mounted(memory)
            try await onThread(mounted) {
                let before = memory.base.count(of: .lookup)
                for _ in 0..<5 { #expect(throws: Errno(ENOENT)) { try SystemCall.status(mounted.path + "/not-yet") } }
                #expect(memory.base.count(of: .lookup) == before + 5)
                for _ in 0..<5 { _ = try TreeSnapshot.names(in: mounted.path) }
                #expect(memory.base.count(of: .list) >= 5)
            }
        }

        @Test
        func `the kernel lets go of names when it is asked to`() async throws {
            let memory = StatelessMemory(try Self.filled().readOnlyFace)
            let mounted = try Mounted(memory)
            try await onThread(mounted) {
                let names = try TreeSnapshot.names(in: mounted.path)
                try Self.readEverything(mounted.path)
                let (forgotten, looked) = (memory.base.count(of: .forget), memory.base.count(of: .lookup))
                try Self.readEverything(mounted.path)
                #expect(memory.base.count(of: .lookup) == looked)
                mounted.mount.letGo(of: names.compactMap { Name($0) })
                #expect(eventually { memory.base.count(of: .forget) >= forgotten + names.count })
            }
        }
    }
}
