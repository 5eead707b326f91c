import AsofOverlay
import AsofSystem
import AsofTestSupport
import Glibc
import Testing

/// The one POSIX suite against overlays: what a client sees is what it would see on the local disk.
@Suite("Overlays through the kernel", .serialized, .enabled(if: Mounted.isPossible, "this machine has no usable /dev/fuse"))
struct OverlayPosixTests {
    /// The view holds what the same suite left in a plain directory, so that most files are changed in part.
    @Test(arguments: [21, 22, 23, 24] as [UInt64], [true, false])
    func `a captured directory can be changed like the local disk`(seed: UInt64, isKept: Bool) async throws {
        let made = try TemporaryDirectory("overlay-model")
        try SystemCall.makeDirectory(made.path("sub"), mode: 0o755)
        let fixture = try OverlayFixture { try PosixSuite.run(subject: $0, model: made.path("sub"), seed: seed * 1000, operations: 900) }
        let model = made.path("sub")
        for round in 0..<3 as Range<UInt64> {
            let overlay = try fixture.overlay(isKept ? "overlay" : nil)
            let mounted = try Mounted(overlay)
            try await onThread(mounted) {
                // What an earlier round did is there.
                let differences = try TreeSnapshot(of: mounted.path + "/sub").differences(from: try TreeSnapshot(of: model))
                #expect(differences == [], "seed \(seed), round \(round)")
                guard differences.isEmpty else { return }
                try PosixSuite.run(subject: mounted.path + "/sub", model: model, seed: seed + round, operations: 900)
            }
            try await onThread(mounted) { try mounted.unmount() }
            try overlay.stop()
            guard isKept else { break }
        }
    }

    @Test(arguments: PosixScenario.all)
    func `an overlay plays the scenario`(scenario: PosixScenario) async throws {
        let fixture = try OverlayFixture()
        let overlay = try fixture.overlay("overlay")
        let mounted = try Mounted(overlay)
        try await onThread(mounted) { try scenario.run(in: mounted.path + "/sub") }
        try await onThread(mounted) { try mounted.unmount() }
        try overlay.stop()
    }
}
