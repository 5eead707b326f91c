@testable import AsofCapture
import AsofCore
import Glibc
import Testing

@Suite("Surveyor")
struct SurveyorTests {
    @Test func `only what root may is told to need root`() {
        for number in [EPERM, EACCES] { #expect(Surveyor.cannotOpen(Errno(number)).hint?.contains("CAP_DAC_READ_SEARCH") == true) }
        for number in [EAGAIN, EMFILE, ENFILE, EIO] {
            let failure = Surveyor.cannotOpen(Errno(number))
            #expect(failure.hint?.contains("root") == false && failure.code == .unavailable, "\(failure)")
        }
    }
}
