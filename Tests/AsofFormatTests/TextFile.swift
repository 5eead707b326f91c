import Glibc

/// A file of the sources, as text.
enum TextFile {
    struct Missing: Error { var path: String }

    /// `path` is relative to the file that asks.
    static func read(_ asking: String, _ path: String) throws -> String {
        let whole = asking + "/" + path
        // `FILE.swift/../..` is no path to the kernel: resolved here.
        var parts: [Substring] = []
        for part in whole.split(separator: "/") { if part == ".." { _ = parts.popLast() } else { parts.append(part) } }
        let resolved = "/" + parts.joined(separator: "/")
        guard let file = fopen(resolved, "r") else { throw Missing(path: resolved) }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }
}
