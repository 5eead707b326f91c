/// The number of a transaction on its timeline: 1, 2, 3 … without holes. Zero is the state before the first.
package struct LSN: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    package var rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }
    package init(_ value: UInt64) { rawValue = value }

    package static let zero = LSN(0)

    /// The next transaction. Saturates: no timeline lives long enough to reach the end.
    package var next: LSN { LSN(rawValue == .max ? .max : rawValue + 1) }
    /// The transaction before this one; `zero` has none and stays.
    package var previous: LSN { LSN(rawValue == 0 ? 0 : rawValue - 1) }

    package static func < (left: LSN, right: LSN) -> Bool { left.rawValue < right.rawValue }
    package var description: String { String(rawValue) }
}
