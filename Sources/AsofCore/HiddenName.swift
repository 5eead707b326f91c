/// Names under which a restore keeps what is not, or no longer, the directory. At the root of a directory they are no part of it.
package enum HiddenName {
    package static let restoring = ".asof-restoring-"
    package static let restored = ".asof-restored-"
    package static let replaced = ".asof-replaced-"

    /// Whether an entry of a directory's root is left out of what is captured.
    package static func isLeftOut(_ name: Name) -> Bool { name.bytes.starts(with: restoring.utf8) || name.bytes.starts(with: replaced.utf8) }
}
