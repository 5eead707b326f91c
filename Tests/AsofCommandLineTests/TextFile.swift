import Glibc

/// Whole files of text.
enum TextFile {
    struct Failure: Error { var path: String, code: Int32 }

    static func write(_ text: String, to path: String) throws {
        guard let file = fopen(path, "we") else { throw Failure(path: path, code: errno) }
        let written = fputs(text, file)
        guard fclose(file) == 0, written >= 0 else { throw Failure(path: path, code: errno) }
    }

    /// Nil where there is no such file.
    static func read(_ path: String) -> String? {
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        return readAll(file)
    }

    static func readAll(_ file: UnsafeMutablePointer<FILE>) -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }
}
