/// The client's own number of a directory that is watched: what a `Dirty` names it by. The client chooses it and sees that no
/// two directories share one.
package struct WatchToken: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package var rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }
    package init(_ value: UInt64) { rawValue = value }

    package var description: String { "#\(rawValue)" }
}
