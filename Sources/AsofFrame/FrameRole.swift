/// What a frame holds. Part of the header, so that a frame of one kind is never read as another.
package enum FrameRole: UInt8, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    /// Bytes of files.
    case payload = 1
    /// A piece of a segment's transaction table.
    case operations = 2
    /// A page of a sorted index.
    case indexPage = 3
    /// What stands before an object's footer: inner keys, directories of segments.
    case tail = 4

    package var description: String {
        switch self {
        case .payload: "payload"
        case .operations: "operations"
        case .indexPage: "index page"
        case .tail: "tail"
        }
    }
}
