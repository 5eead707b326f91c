import AsofFrame
import Testing

@Suite("Object id")
struct ObjectIDTests {
    @Test func `keeps its bytes in their order`() throws {
        let id = try #require(ObjectID(bytes: Array(UInt8(0)...15)))
        #expect(id.bytes == Array(UInt8(0)...15))
        #expect(id.description == "000102030405060708090a0b0c0d0e0f")
        #expect(ObjectID(hex: "000102030405060708090A0B0C0D0E0F") == id)
    }

    @Test(arguments: [
        "", "00", "000102030405060708090a0b0c0d0e0", "000102030405060708090a0b0c0d0e0g", "000102030405060708090a0b0c0d0e0f00",
    ])
    func `refuses text that is not 32 digits`(text: String) {
        #expect(ObjectID(hex: text) == nil)
    }

    @Test(arguments: [0, 15, 17]) func `refuses other lengths`(count: Int) {
        #expect(ObjectID(bytes: [UInt8](repeating: 1, count: count)) == nil)
    }

    @Test func `is never drawn twice`() {
        #expect(Set((0..<1000).map { _ in ObjectID.random() }).count == 1000)
    }
}
