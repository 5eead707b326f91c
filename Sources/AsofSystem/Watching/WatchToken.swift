/// The client's own number of a directory that is watched: what a `Dirty` names it by. The client chooses it and sees that no
/// two directories share one.
package struct WatchToken: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package var rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package init(_ value: UInt32) { rawValue = value }

    package var description: String { "#\(rawValue)" }
}
