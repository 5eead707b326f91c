internal import AsofCore
internal import AsofSystem
internal import Glibc

extension PosixScenario {
    /// A shared mapping of an open file's first `length` bytes, unmapped after `body`.
    private static func mapping<R>(
        _ file: Int32, _ length: Int, _ protection: Int32, _ body: (UnsafeMutableRawBufferPointer) throws -> R
    ) throws -> R {
        guard let address = mmap(nil, length, protection, MAP_SHARED, file, 0), address != MAP_FAILED else { throw Errno(errno) }
        defer { munmap(address, length) }
        return try body(UnsafeMutableRawBufferPointer(start: address, count: length))
    }

    static let mappings: [PosixScenario] = [
        PosixScenario("a shared mapping shows what is written") { directory in
            let file = try makeFile(directory + "/f", [UInt8](repeating: 1, count: 20_000))
            try mapping(file.raw, 20_000, PROT_READ) { memory in
                try PosixFailure.check(memory.allSatisfy { $0 == 1 }, "the mapping differs at first")
                for offset in [0, 4095, 4096, 12_288, 19_990] {
                    try SystemCall.writeFully(file.raw, at: UInt64(offset), bytes("changed"))
                    try PosixFailure.equal(Array(memory[offset..<offset + 7]), bytes("changed"), "the mapping at \(offset)")
                }
            }
        },
        PosixScenario("what is stored through a mapping is read and kept") { directory in
            let path = directory + "/f"
            let file = try makeFile(path, [UInt8](repeating: 0, count: 50_000))
            try mapping(file.raw, 50_000, PROT_READ | PROT_WRITE) { memory in
                memory.baseAddress?.advanced(by: 4090).copyMemory(from: "twelve bytes", byteCount: 12)
                try PosixFailure.equal(
                    try SystemCall.readFully(file.raw, at: 4090, length: 12), bytes("twelve bytes"), "read before msync")
                if msync(memory.baseAddress, 50_000, MS_SYNC) != 0 { throw Errno(errno) }
                memory.baseAddress?.advanced(by: 40_000).copyMemory(from: "later", byteCount: 5)
            }
            try PosixFailure.equal(
                try SystemCall.readFully(file.raw, at: 40_000, length: 5), bytes("later"), "read after munmap")
            try SystemCall.sync(file.raw)
            let found = try content(path)
            try PosixFailure.equal(Array(found[4090..<4102]), bytes("twelve bytes"), "the first store")
            try PosixFailure.equal(Array(found[40_000..<40_005]), bytes("later"), "the second store")
        },
        // bbolt reads through a shared mapping, writes pages with pwrite, and makes each commit durable with fdatasync.
        PosixScenario("a bolt database's pattern works") { directory in
            let file = try makeFile(directory + "/bolt.db", [UInt8](repeating: 0, count: 4 * 4096))
            var size = 4 * 4096
            for commit in 1...30 {
                if commit % 10 == 0 {
                    size *= 2
                    try SystemCall.truncate(file.raw, to: UInt64(size))
                    try SystemCall.sync(file.raw)
                }
                try mapping(file.raw, size, PROT_READ) { memory in
                    let page = [UInt8](repeating: UInt8(commit), count: 4096)
                    let number = 2 + commit % (size / 4096 - 2)
                    try SystemCall.writeFully(file.raw, at: UInt64(number * 4096), page)
                    try SystemCall.syncData(file.raw)
                    try SystemCall.writeFully(file.raw, at: UInt64(commit % 2 * 4096), page)
                    try SystemCall.syncData(file.raw)
                    for shown in [number, commit % 2] {
                        try PosixFailure.check(
                            memory[shown * 4096..<shown * 4096 + 4096].elementsEqual(page), "commit \(commit), page \(shown)")
                    }
                }
            }
        },
    ]
}
