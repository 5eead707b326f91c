import AsofCommandLine
import Testing

@Suite("Printing")
struct PrintingTests {
    @Test(
        arguments: [
            (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1049, "1.0 kB"), (1050, "1.1 kB"), (49_900_000, "49.9 MB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"), (1_500_000_000, "1.5 GB"), (UInt64.max, "18.4 EB"),
        ] as [(UInt64, String)])
    func `bytes`(bytes: UInt64, text: String) {
        #expect(HumanFormat.bytes(bytes) == text)
    }

    @Test(
        arguments: [
            (0, "0 s"), (999, "999 ns"), (12_345, "12 µs"), (3_200_000, "3.2 ms"), (850_000_000, "850 ms"),
            (3_299_999_999, "3.2 s"),
            (59_999_999_999, "59.9 s"), (307_000_000_000, "5 min 07 s"), (3_900_000_000_000, "1 h 05 min"),
            (273_600_000_000_000, "3 d 04 h"), (-3_200_000_000, "-3.2 s"), (Int64.min, "-106751 d 23 h"),
        ] as [(Int64, String)])
    func `durations`(nanoseconds: Int64, text: String) {
        #expect(HumanFormat.duration(nanoseconds: nanoseconds) == text)
    }

    @Test
    func `counts have separators`() {
        #expect(HumanFormat.count(0) == "0")
        #expect(HumanFormat.count(999) == "999")
        #expect(HumanFormat.count(1000) == "1,000")
        #expect(HumanFormat.count(-1_234_567) == "-1,234,567")
        #expect(HumanFormat.count(-123) == "-123")
        #expect(HumanFormat.count(UInt64.max) == "18,446,744,073,709,551,615")
    }

    @Test
    func `tables align their columns`() {
        var table = Table([Table.Column("LSN", .right), Table.Column("WHAT"), Table.Column("PATH")])
        table.append(["9", "write", "a"])
        table.append(["1200", "mkdir"])
        table.append(["1", "\u{1B}[2J", "b\nc", "beyond"])
        #expect(
            table.render() == """
                 LSN  WHAT       PATH
                   9  write      a
                1200  mkdir
                   1  \\u{1b}[2J  b\\u{a}c

                """)
        #expect(Table([]).render().isEmpty)
        #expect(Table([Table.Column("A")]).render() == "A\n")
    }

    @Test
    func `text from outside cannot move the cursor`() {
        #expect(Printable.text("a\tb\r\u{7F}\u{9B}") == "a\\u{9}b\\u{d}\\u{7f}\\u{9b}")
        #expect(Printable.text("größe 😀") == "größe 😀")
        #expect(Printable.text("abcdef", limit: 3) == "abc…")
    }
}
