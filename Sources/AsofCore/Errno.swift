/// An `errno` value, thrown by everything that stands directly on a system call.
package struct Errno: Error, Hashable, Sendable, RawRepresentable {
    package var rawValue: Int32
    package init(rawValue: Int32) { self.rawValue = rawValue }
    package init(_ value: Int32) { rawValue = value }
}
