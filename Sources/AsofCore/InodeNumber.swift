/// A file's identity in the repository: given once, never reused, the same in every view and mount.
package struct InodeNumber: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    package var rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }
    package init(_ value: UInt64) { rawValue = value }

    /// The captured directory itself.
    package static let root = InodeNumber(1)

    package static func < (left: InodeNumber, right: InodeNumber) -> Bool { left.rawValue < right.rawValue }
    package var description: String { String(rawValue) }
}
