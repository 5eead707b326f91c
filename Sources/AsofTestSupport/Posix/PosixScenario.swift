internal import AsofCore
internal import AsofSystem
internal import Glibc

/// One thing that must work on any POSIX file system, told as a story. It works in an empty directory and blocks.
package struct PosixScenario: Sendable, CustomStringConvertible {
    package let name: String
    /// Works only for root, on a mount that lets other users in.
    package let needsOtherUsers: Bool
    private let body: @Sendable (String) throws -> Void

    init(_ name: String, needsOtherUsers: Bool = false, _ body: @escaping @Sendable (String) throws -> Void) {
        self.name = name
        self.needsOtherUsers = needsOtherUsers
        self.body = body
    }

    package var description: String { name }

    /// Plays it in `directory`, which must exist and be empty. Throws `PosixFailure` or the `Errno` of a call that must not fail.
    package func run(in directory: String) throws {
        do {
            try body(directory)
        } catch let error as Errno {
            throw PosixFailure("\(name): a call failed with \(error.label)")
        } catch let failure as PosixFailure {
            throw PosixFailure("\(name): \(failure)")
        }
    }

    /// All of them.
    package static let all: [PosixScenario] = files + names + mappings + locks + users
}

extension PosixScenario {
    static func makeFile(_ path: String, _ content: [UInt8] = []) throws -> OwnedDescriptor {
        let file = try SystemCall.open(path, O_RDWR | O_CREAT | O_EXCL, mode: 0o644)
        try SystemCall.writeFully(file.raw, at: 0, content)
        return file
    }

    static func content(_ path: String) throws -> [UInt8] { try SystemCall.readAll(path: path) }

    static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
}
