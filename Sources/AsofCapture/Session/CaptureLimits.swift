/// When a segment is sealed, and how much may wait for the store.
package struct CaptureLimits: Sendable {
    /// Nanoseconds.
    package var interval: Int64 = 10_000_000_000
    /// Bytes of a sealed segment, about.
    package var segmentSize: UInt64 = 64 << 20
    package var transactions = 65_536
    /// Bytes of journal and sealed segments; beyond it changes fail with "no space left".
    package var spoolLimit: UInt64 = 16 << 30
    package var keepsLocal = false

    package init() {}
}
