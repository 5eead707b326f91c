package import AsofCore

/// Why a data key could not be wrapped or unwrapped.
package enum KeyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Not wrapped with this user key, or not in this context, or changed since.
    case wrongKey
    /// Not as long as a wrapped key.
    case malformed
    /// libcrypto failed for a reason that is not in the bytes: mostly memory.
    case libraryFailure(String)

    package var description: String {
        switch self {
        case .wrongKey: "the key does not open this repository"
        case .malformed: "the repository's key slot is damaged"
        case .libraryFailure(let what): what
        }
    }

    /// The failure as a person reads it.
    package var asofError: AsofError {
        switch self {
        case .wrongKey: AsofError(.key, description, hint: "give the key that the repository was made with, or one added later")
        case .malformed: AsofError(.damaged, description, hint: "restore asof.json from a copy, or use another key slot")
        case .libraryFailure: AsofError(.failure, description)
        }
    }
}
