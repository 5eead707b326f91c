import AsofTestSupport
import Testing

extension ProgramTests {
    /// A chroot, a hardened service: Swift's own list of arguments is empty there.
    @Suite(.enabled(if: ProgramFixture.canFollow))
    struct WithoutProc {
        let fixture: ProgramFixture
        init() throws { fixture = try ProgramFixture() }

        private func run(_ command: String) throws -> ProgramFixture.Outcome {
            try fixture.shell("unshare -m sh -c 'mount --make-rprivate / && umount -l /proc && \(command)'")
        }

        @Test func `a command is what it says`() throws {
            let unknown = try run("asof frobnicate \"two words\"")
            #expect(unknown.code == 64 && unknown.error.contains("frobnicate"), "\(unknown)")
            #expect(try run("asof version").output.hasPrefix("asof "))
            #expect(try run("asof window").code == 10)
            #expect(try run("asof init -q && asof window").code == 10)
        }
    }
}
