/// How long a frame may be. A decoder checks these before it allocates anything.
package enum FrameLimits {
    /// Bytes before compression that any frame may hold.
    package static let plainLengthMax = 16 << 20
    /// Bytes before compression that a payload frame may hold. Larger frames would gain 3 % of space and cost every small read.
    package static let payloadLengthMax = 256 << 10
    /// Bytes that a sealed body is longer than what it seals: the tag of AES-GCM.
    package static let tagLength = 16

    /// Bytes before compression that a frame of this role may hold.
    package static func plainLengthMax(for role: FrameRole) -> Int {
        switch role {
        case .payload: payloadLengthMax
        case .operations, .indexPage, .tail: plainLengthMax
        }
    }

    /// The longest window that a zstd body may ask for, as a power of two: `plainLengthMax`.
    static let windowLogMax: Int32 = 24
}
