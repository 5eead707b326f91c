import AsofCommands
import AsofCore
import AsofSystem
import Testing

@Suite("Crash points")
struct CrashPointNameTests {
    @Test func `the list names exactly the points in the sources`() throws {
        var names: Set<String> = []
        let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
        var folders = [root + "/Sources"]
        while let folder = folders.popLast() {
            let reader = try DirectoryReader(folder)
            while let entry = try reader.next() {
                let path = folder + "/" + entry.name.description
                if entry.kind == .directory { folders.append(path) }
                // CrashPoint's own file has an example in its comment.
                guard path.hasSuffix(".swift"), !path.hasSuffix("/CrashPoint.swift") else { continue }
                for piece in String(decoding: try SystemCall.readAll(path: path), as: UTF8.self).split(separator: "CrashPoint.reach(\"").dropFirst() {
                    names.insert(String(piece.prefix { $0 != "\"" }))
                }
            }
        }
        #expect(names.sorted() == CrashPointNames.all)
    }
}
