/// How a frame's bytes are compressed.
package enum FrameMethod: UInt8, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    /// As they are: compression was not wanted, or did not make them shorter.
    case stored = 0
    case zstd = 1
    case gzip = 2

    package var description: String {
        switch self {
        case .stored: "stored"
        case .zstd: "zstd"
        case .gzip: "gzip"
        }
    }
}
