/// Bytes that are not what their place says they are. Never a trap: everything read from a disk or a store may be damaged.
package struct FormatError: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String
    package init(_ description: String) { self.description = description }

    static let truncated = FormatError("ends too early")
}
