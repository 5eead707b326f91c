package import AsofCore

/// Extended attributes that asof keeps on the root of a directory. They say where it stands in a repository, and are no part of its state:
/// a capture neither logs nor shows them.
package enum OwnAttributes {
    private static let prefix = Array("user.asof.".utf8)

    package static func have(_ name: Name, of inode: InodeNumber) -> Bool { inode == .root && name.bytes.starts(with: prefix) }
}
