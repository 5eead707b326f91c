import AsofCore
import Testing

@Suite("LSN")
struct LSNTests {
    @Test
    func `steps without holes and stops at the ends`() {
        #expect(LSN.zero.next == LSN(1))
        #expect(LSN(2).previous == LSN(1))
        #expect(LSN.zero.previous == .zero)
        #expect(LSN(.max).next == LSN(.max))
        #expect(LSN(.max).previous.next == LSN(.max))
    }

    @Test
    func `orders as a number, also beyond 63 bits`() {
        #expect(LSN(9) < LSN(10))
        #expect(LSN(UInt64(Int64.max)) < LSN(UInt64(Int64.max) + 1))
        #expect(LSN(.max).description == "18446744073709551615")
    }
}
