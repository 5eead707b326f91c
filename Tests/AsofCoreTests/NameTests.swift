import AsofCore
import Testing

@Suite("Name")
struct NameTests {
    static let names: [[UInt8]] = [
        Array("a".utf8), Array("...".utf8), Array(".hidden".utf8), Array("with space".utf8), Array("bell\u{7}".utf8),
        Array("größe".utf8), [0xFF], [0xC3, 0x28], Array(repeating: 0x61, count: 255),
    ]

    @Test(arguments: names)
    func `takes what a directory can hold`(bytes: [UInt8]) {
        #expect(Name(bytes)?.bytes == bytes)
    }

    static let refused: [[UInt8]] = [
        [], Array(".".utf8), Array("..".utf8), Array("a/b".utf8), Array("/".utf8), [0], Array("a\u{0}".utf8),
        Array(repeating: 0x61, count: 256),
    ]

    @Test(arguments: refused)
    func `refuses what it cannot`(bytes: [UInt8]) {
        #expect(Name(bytes) == nil)
    }

    @Test
    func `counts bytes, not characters`() {
        #expect(Name(String(repeating: "ö", count: 127)) != nil)
        #expect(Name(String(repeating: "ö", count: 128)) == nil)
    }

    @Test
    func `orders by bytes`() throws {
        let sorted = try ["B", "a", "ab", "b", "é", "\u{10FFFF}"].map { try #require(Name($0)) }
        #expect(sorted.shuffled().sorted() == sorted)
        #expect(Name(unchecked: [0x7F]) < Name(unchecked: [0x80]))
    }

    @Test
    func `equal bytes are equal names, canonically equal text is not`() {
        #expect(Name("\u{E9}") == Name("\u{E9}"))
        #expect(Name("\u{E9}") != Name("e\u{301}"))
    }

    @Test
    func `shows bytes that are no text as replacements`() {
        #expect(Name(unchecked: [0x61, 0xFF]).description == "a\u{FFFD}")
    }
}
