/// How a directory is compared with the log.
package struct ScanOptions: Sendable {
    /// Bytes are compared whatever size and times say.
    package var isFull = false
    /// Bytes read a second; nil: as fast as it goes.
    package var rate: UInt64?
    package var threads = 2

    package init() {}
}
