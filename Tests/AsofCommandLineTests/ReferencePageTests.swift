import AsofCommandLine
import Glibc
import Testing

@Suite("docs/reference.md")
struct ReferencePageTests {
    static let regenerate = "ASOF_WRITE_REFERENCE=1 swift test --filter AsofCommandLineTests"

    @Test
    func `says what the program understands`() throws {
        let path =
            #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
            + "/docs/reference.md"
        let rendering = ReferencePage.render(CommandTree.root)
        if getenv("ASOF_WRITE_REFERENCE") != nil { try TextFile.write(rendering, to: path) }
        let stands = TextFile.read(path)
        #expect(stands == rendering, "docs/reference.md is out of date; run: \(Self.regenerate)")
        #expect(rendering.contains(Self.regenerate))
    }
}
