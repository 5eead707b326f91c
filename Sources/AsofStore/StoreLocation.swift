package import AsofCore
internal import AsofSystem

/// Where a repository lives, as the user says it.
package enum StoreLocation: Hashable, Sendable, CustomStringConvertible {
    /// An absolute path without a slash at its end.
    case directory(String)

    /// Parses a path or a `file://` URL. `.usage` for what this release cannot store in.
    ///
    /// `currentDirectory` is what relative paths are relative to; nil: the process's.
    package init(parsing text: String, currentDirectory: String? = nil) throws(AsofError) {
        guard !text.isEmpty else {
            throw AsofError(.usage, "no repository is named", hint: "give --repo PATH or set ASOF_REPO")
        }
        guard !text.utf8.contains(0) else { throw AsofError(.usage, "a repository's path cannot hold a NUL") }
        guard let scheme = Self.scheme(of: text) else {
            self = .directory(try Self.absolute(text, currentDirectory))
            return
        }
        switch scheme {
        case "file":
            self = .directory(try Self.absolute(try Self.path(ofFileURL: text), currentDirectory))
        case "s3", "gs", "azure":
            throw AsofError(
                .usage, "\(text): this release stores in a directory only",
                hint: "use a local path, a network mount, or a bucket mounted as a directory")
        default:
            throw AsofError(
                .usage, "\(text): unknown kind of repository \(scheme)://",
                hint: "use a path or file:// URL; write ./\(text) for a folder of that name")
        }
    }

    package var description: String {
        switch self {
        case .directory(let path): path
        }
    }

    /// Opens the store. No decorators: the caller chooses them.
    package func open(_ access: DirectoryStore.Access) throws(AsofError) -> any ObjectStore {
        switch self {
        case .directory(let path): try DirectoryStore(path, access: access)
        }
    }

    /// What stands before `://`, in lower case; nil where that is no scheme.
    private static func scheme(of text: String) -> String? {
        guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://") else { return nil }
        let scheme = text[..<colon]
        guard let first = scheme.first, first.isASCII, first.isLetter,
            scheme.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0)) })
        else { return nil }
        return scheme.lowercased()
    }

    private static func path(ofFileURL text: String) throws(AsofError) -> String {
        let rest = text.dropFirst("file://".count)
        guard let slash = rest.firstIndex(of: "/"), ["", "localhost"].contains(rest[..<slash].lowercased()) else {
            throw AsofError(.usage, "\(text): a file URL names an absolute path here", hint: "write file:///path/to/repository")
        }
        let encoded = rest[slash...]
        guard !encoded.contains("?"), !encoded.contains("#") else {
            throw AsofError(
                .usage, "\(text): a file URL has no ? or # part", hint: "write %3F and %23 where they belong to the path")
        }
        guard let bytes = decodingPercents(encoded.utf8), !bytes.contains(0),
            let path = String(validating: bytes, as: UTF8.self)
        else {
            throw AsofError(.usage, "\(text): not a well-formed URL", hint: "a percent sign itself is %25")
        }
        return path
    }

    private static func decodingPercents(_ text: Substring.UTF8View) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = text[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }

    /// Absolute, without empty and `.` components. `..` stays: what it means depends on symbolic links.
    private static func absolute(_ path: String, _ currentDirectory: String?) throws(AsofError) -> String {
        var full = path
        if !path.hasPrefix("/") {
            do throws(Errno) {
                let start: String
                if let currentDirectory { start = currentDirectory } else { start = try SystemCall.realPath(".") }
                full = start + "/" + path
            } catch {
                throw AsofError(error, "cannot tell the current directory, which \(path) is relative to")
            }
        }
        return "/" + full.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
    }
}
