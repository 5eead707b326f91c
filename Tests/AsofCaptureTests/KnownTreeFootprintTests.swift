import AsofCore
import AsofSystem
import AsofTestSupport
import AsofWeaviate
import Glibc
import Testing

@testable import AsofCapture

@Suite("Known tree: memory")
struct KnownTreeFootprintTests {
    /// `ASOF_KNOWN_FILES=2000000 swift test -c release -Xswiftc -enable-testing --filter KnownTreeFootprintTests` measures more of them.
    private static let files = getenv("ASOF_KNOWN_FILES").flatMap { Int(String(cString: $0)) } ?? 200_000

    /// Shards of 16 files each, with names and handles as they are on ext4.
    private static func fill(_ files: Int, _ add: (InodeNumber, InodeNumber, Name, StableHandle, Attributes, ContentDigests?) -> Void) {
        let page = [UInt8](repeating: 7, count: 100)
        var digests = ContentDigests()
        _ = page.withUnsafeBytes { digests.take($0, at: 0) }
        var directory = InodeNumber.root
        for number in 2..<UInt64(files + 2) {
            let inode = InodeNumber(number)
            let isDirectory = number % 17 == 2
            let name =
                isDirectory
                ? "tenant-\(number)-AbCdEfGh" : number % 2 == 0 ? "segment-17640874\(32_123_456_789 + number).db" : "\(17_640_874 + number).condensed"
            let moment = Instant(nanoseconds: Int64(number))
            let attributes = Attributes(mode: isDirectory ? 0o040755 : 0o100644, links: 1, size: 100, modified: moment, changed: moment)
            add(inode, isDirectory ? .root : directory, Name(unchecked: Array(name.utf8)), handle(number), attributes, isDirectory ? nil : digests)
            if isDirectory { directory = inode }
        }
    }

    private static func handle(_ number: UInt64) -> StableHandle {
        let words = (UInt32(truncatingIfNeeded: number), UInt32(truncatingIfNeeded: number &* 0x9E37_79B9))
        return StableHandle(bytes: [1, 0, 0, 0] + withUnsafeBytes(of: words) { Array($0) })
    }

    @Test func `a file at rest takes less than 125 bytes, its name of 23 included`() {
        let files = Self.files
        var tree = KnownTree(highest: .root)
        var names = 0
        let before = Self.residentBytes()
        Self.fill(files) { inode, parent, name, handle, attributes, digests in
            tree.add(inode, handle, attributes, .segment)
            tree.setEntry(parent, name, inode)
            tree.setDigests(digests, of: inode)
            names += name.bytes.count
        }
        let (held, count, resident) = (tree.byteCount, tree.count, Self.residentBytes() - before)
        print("known tree: \(files) files: \(held / files) bytes each, \(names / files) of them the name; resident \(resident / files)")
        #expect(held / files < 125)
        #expect(count == files)
    }

    /// Of the whole process; not a thing to be tested beside other tests.
    private static func residentBytes() -> Int {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var fields = [UInt8](repeating: 0, count: 200)
        let count = fread(&fields, 1, fields.count, file)
        let words = String(decoding: fields.prefix(count), as: UTF8.self).split(separator: " ")
        return words.count > 1 ? (Int(words[1]) ?? 0) * 4096 : 0
    }
}
