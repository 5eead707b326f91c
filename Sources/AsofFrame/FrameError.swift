package import AsofCore

/// Why a frame could not be written or read.
package enum FrameError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Fewer bytes than the header, or than the header says.
    case truncated
    /// A field that no version of this program writes.
    case headerInvalid(String)
    /// Not the bytes that were written here: flipped, or of another object or place.
    case checksumMismatch
    /// The bytes are not what was sealed with this key, for this repository, object and place.
    case notAuthentic
    /// A whole frame, but of another kind.
    case wrongRole
    case decompressionFailed(String)
    /// More or fewer bytes than announced, or than the caller has room for.
    case lengthMismatch
    /// Longer than `FrameLimits` allows for its role.
    case tooLong
    /// The frame is sealed and there is no key.
    case keyMissing
    /// There is a key and the frame is not sealed: somebody without the key wrote it.
    case unexpectedPlain
    /// A library failed for a reason that is not in the bytes: mostly memory.
    case libraryFailure(String)

    package var description: String {
        switch self {
        case .truncated: "the frame is cut off"
        case .headerInvalid(let what): "the frame's header is invalid: \(what)"
        case .checksumMismatch: "the frame's checksum does not match"
        case .notAuthentic: "the frame is not authentic: changed, misplaced, or sealed with another key"
        case .wrongRole: "the frame is of another kind than expected"
        case .decompressionFailed(let what): "the frame does not decompress: \(what)"
        case .lengthMismatch: "the frame's content is not as long as announced"
        case .tooLong: "the frame is longer than allowed"
        case .keyMissing: "the frame is encrypted and no key is known"
        case .unexpectedPlain: "the frame is not encrypted, though the repository is"
        case .libraryFailure(let what): what
        }
    }

    /// The failure as a person reads it. `subject` says which frame: "frame at 4096 of packs/…".
    package func asofError(_ subject: String) -> AsofError {
        switch self {
        case .keyMissing: AsofError(.key, "\(subject): \(self)", hint: "give the repository's key")
        case .libraryFailure: AsofError(.failure, "\(subject): \(self)")
        default: AsofError(.damaged, "\(subject): \(self)", hint: "restore it from a copy of the repository; instants that do not need it still mount")
        }
    }
}
