import AsofTestSupport
import Testing

/// A sample; `asof-mutations --format damage` does every byte and bit.
@Suite("Damaged objects")
struct DamageTests {
    @Test(arguments: [false, true])
    func `truncations and flips give the right data or an error that names the object`(isEncrypted: Bool) throws {
        let report = try DamageSweep(seed: 11, isEncrypted: isEncrypted).run(period: 41, bits: 1)
        #expect(report.failures == [])
        #expect(report.objects > 4)
        #expect(report.unnoticed < report.damages)
    }
}
