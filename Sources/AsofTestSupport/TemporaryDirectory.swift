package import AsofCore
package import AsofSystem
internal import Glibc

/// A new, empty directory for one test, removed with everything in it when the last reference goes.
///
/// Below `ASOF_TEST_TMP` where that is set, else below /tmp.
package final class TemporaryDirectory: Sendable {
    /// Absolute, without symbolic links.
    package let path: String

    package init(_ label: String = "test") throws(Errno) {
        let base = getenv("ASOF_TEST_TMP").map { String(cString: $0) } ?? "/tmp"
        let made = base + "/asof-\(label)-" + String(UInt64.random(in: .min ... .max), radix: 36)
        try SystemCall.makeDirectory(made, mode: 0o700)
        path = try SystemCall.realPath(made)
    }

    deinit { Self.remove(path) }

    /// The path of `name` in it; nothing is created.
    package func path(_ name: String) -> String { path + "/" + name }

    /// A descriptor of the directory.
    package func open() throws(Errno) -> OwnedDescriptor { try SystemCall.open(path, O_RDONLY | O_DIRECTORY) }

    /// Writes a file into it.
    package func write(_ name: String, _ bytes: [UInt8]) throws(Errno) {
        let file = try SystemCall.open(path(name), O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        try SystemCall.writeFully(file.raw, at: 0, bytes)
    }

    package func read(_ name: String) throws(Errno) -> [UInt8] { try SystemCall.readAll(path: path(name)) }

    /// Names in `folder` of it, sorted.
    package func names(in folder: String = ".") throws(Errno) -> [String] {
        let reader = try DirectoryReader(path(folder))
        var names: [String] = []
        while let entry = try reader.next() { names.append(entry.name.description) }
        return names.sorted()
    }

    /// Removes a tree; never follows symbolic links; what cannot be removed stays.
    private static func remove(_ path: String) {
        if let directory = try? SystemCall.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) {
            removeContent(of: SharedDescriptor(directory))
        }
        try? SystemCall.removeDirectory(path)
    }

    private static func removeContent(of directory: SharedDescriptor) {
        let raw = directory.unmanaged
        try? SystemCall.changeMode(raw, 0o700)
        let reader = DirectoryReader(directory)
        var names: [Name] = []
        while let entry = try? reader.next() { names.append(entry.name) }
        for name in names {
            if (try? SystemCall.unlink(at: raw, name)) != nil { continue }
            if let child = try? SystemCall.open(at: raw, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) {
                removeContent(of: SharedDescriptor(child))
            }
            try? SystemCall.removeDirectory(at: raw, name)
        }
        withExtendedLifetime(directory) {}
    }
}
