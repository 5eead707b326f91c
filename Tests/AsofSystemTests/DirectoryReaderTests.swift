import AsofCore
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

@Suite("Reading directories")
struct DirectoryReaderTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory("reader") }

    @Test func `every entry once, also when it takes many reads, and any cookie goes on behind its entry`() throws {
        let folder = try directory.open()
        // 3000 names of 40 bytes do not fit in one buffer.
        for number in 0..<3000 {
            let name = "entry-\(number)-" + String(repeating: "x", count: 30)
            try SystemCall.makeNode(at: folder.raw, name, mode: 0o100600, device: 0)
        }
        let reader = try DirectoryReader(directory.path)
        var entries: [DirectoryReader.Entry] = []
        while let entry = try reader.next() { entries.append(entry) }
        #expect(entries.count == 3000)
        #expect(Set(entries.map(\.name)).count == 3000)
        #expect(entries.allSatisfy { $0.kind == .regular })
        for index in [0, 1, 1500, 2999] {
            try reader.seek(entries[index].cookie)
            #expect(try reader.next()?.name == (index == 2999 ? nil : entries[index + 1].name))
        }
        try reader.seek(0)
        #expect(try reader.next()?.name == entries[0].name)
    }

    @Test func `names that are not text and every kind`() throws {
        let folder = try directory.open()
        try SystemCall.makeNode(at: folder.raw, [0xFF, 0x0A] as [UInt8], mode: 0o100600, device: 0)
        try SystemCall.makeDirectory(at: folder.raw, "d", mode: 0o700)
        try SystemCall.symbolicLink(target: "nowhere", at: folder.raw, "l")
        try SystemCall.makeNode(at: folder.raw, "p", mode: 0o010600, device: 0)
        let reader = try DirectoryReader(at: folder.raw, ".")
        var kinds: [[UInt8]: FileKind?] = [:]
        while let entry = try reader.next() { kinds[entry.name.bytes] = entry.kind }
        #expect(kinds == [[0xFF, 0x0A]: .regular, [0x64]: .directory, [0x6C]: .symbolicLink, [0x70]: .fifo])
    }

    @Test func `an empty and a removed directory have no entries`() throws {
        #expect(try directory.names().isEmpty)
        try SystemCall.makeDirectory(directory.path("gone"), mode: 0o700)
        let reader = try DirectoryReader(directory.path("gone"))
        try SystemCall.removeDirectory(directory.path("gone"))
        #expect(throws: Errno(ENOENT)) { _ = try reader.next() }
        #expect(throws: Errno(ENOTDIR)) { _ = try DirectoryReader("/dev/null") }
    }
}
