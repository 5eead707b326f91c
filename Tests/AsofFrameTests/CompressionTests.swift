import AsofCore
import AsofFrame
import Testing

@Suite("Compression")
struct CompressionTests {
    @Test(arguments: [
        ("none", Compression.none, "none"),
        ("zstd", .zstd(level: 3), "zstd:3"),
        ("zstd:1", .zstd(level: 1), "zstd:1"),
        ("zstd:22", .zstd(level: 22), "zstd:22"),
        ("gzip", .gzip(level: 6), "gzip:6"),
        ("gzip:9", .gzip(level: 9), "gzip:9"),
    ])
    func `reads and prints`(text: String, expected: Compression, printed: String) throws {
        let compression = try Compression.parse(text)
        #expect(compression == expected)
        #expect(compression.description == printed)
        #expect(try Compression.parse(printed) == expected)
    }

    @Test(arguments: [
        "", ":", "zstd:", "zstd:0", "zstd:23", "zstd:-1", "zstd:+3", "zstd:3:4", "zstd: 3", "ZSTD", "gzip:0", "gzip:10", "none:1",
        "lz4", "zstd:99999999999999999999999",
    ])
    func `refuses anything else and says what is allowed`(text: String) {
        let error = #expect(throws: AsofError.self) { try Compression.parse(text) }
        #expect(error?.code == .usage)
        #expect(error?.hint?.contains("zstd:LEVEL with 1 to 22, gzip:LEVEL with 1 to 9") == true)
    }

    @Test func `keeps levels within what the libraries take`() {
        #expect(Compression.zstd(level: 99) == .zstd(level: 22))
        #expect(Compression.gzip(level: -4) == .gzip(level: 1))
        #expect(Compression.standard == .zstd(level: 3))
    }
}
