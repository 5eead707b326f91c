package import AsofCore

/// How frames are to be compressed: what a user chooses. Frames that do not shrink are stored all the same.
package struct Compression: Hashable, Sendable, CustomStringConvertible {
    package static let zstdLevels = 1...22
    package static let gzipLevels = 1...9

    package let method: FrameMethod
    /// Within the method's levels; 0 for `none`.
    package let level: Int

    private init(method: FrameMethod, level: Int) {
        self.method = method
        self.level = level
    }

    package static let none = Compression(method: .stored, level: 0)
    /// A level outside 1…22 becomes the nearest within.
    package static func zstd(level: Int) -> Compression {
        Compression(method: .zstd, level: min(max(level, zstdLevels.lowerBound), zstdLevels.upperBound))
    }
    /// A level outside 1…9 becomes the nearest within.
    package static func gzip(level: Int) -> Compression {
        Compression(method: .gzip, level: min(max(level, gzipLevels.lowerBound), gzipLevels.upperBound))
    }

    package static let standard = Compression.zstd(level: 3)

    /// Reads `none`, `zstd`, `zstd:LEVEL`, `gzip` or `gzip:LEVEL`; without a level zstd means 3 and gzip 6.
    ///
    /// Throws `.usage` with a hint of what is allowed.
    package static func parse(_ text: String) throws(AsofError) -> Compression {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        switch (parts.first, parts.count) {
        case ("none", 1): return .none
        case ("zstd", 1): return .standard
        case ("gzip", 1): return .gzip(level: 6)
        case ("zstd", 2):
            if let level = level(parts[1], within: zstdLevels) { return .zstd(level: level) }
        case ("gzip", 2):
            if let level = level(parts[1], within: gzipLevels) { return .gzip(level: level) }
        default: break
        }
        throw AsofError(
            .usage, "not a compression: \"\(text)\"",
            hint: "use zstd:LEVEL with 1 to 22, gzip:LEVEL with 1 to 9, zstd (level 3), gzip (level 6) or none")
    }

    /// As `parse` reads it.
    package var description: String { method == .stored ? "none" : "\(method):\(level)" }

    /// Digits only: `Int` would also take a sign.
    private static func level(_ text: Substring, within levels: ClosedRange<Int>) -> Int? {
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let level = Int(text),
            levels.contains(level)
        else { return nil }
        return level
    }
}
