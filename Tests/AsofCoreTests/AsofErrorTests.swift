import AsofCore
import Testing

@Suite("AsofError")
struct AsofErrorTests {
    @Test
    func `prints the message, then the hint`() {
        #expect(AsofError(.failure, "it broke").description == "it broke")
        #expect(AsofError(.failure, "it broke", hint: "mend it").description == "it broke\n  hint: mend it")
    }

    @Test
    func `keeps code and hint when it is put in a larger frame`() {
        let error = AsofError(.inGap, "nothing was recorded then", hint: "see asof window").during("mount /mnt")
        #expect(error.code == .inGap)
        #expect(error.description == "mount /mnt: nothing was recorded then\n  hint: see asof window")
    }
}
