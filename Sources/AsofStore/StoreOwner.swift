internal import AsofCore
internal import AsofSystem
internal import CLinux
internal import Glibc

/// Whom the store's folder belongs to, where that is not root and root works there: what root made for itself in the repository of
/// another user would keep that user out of it.
///
/// Nothing is given away afterwards: root makes it as that user (setfsuid(2), of one thread), so a link that the user put there
/// leads root to nothing that the user could not have made. Where that is not possible (no CAP_SETUID, an identity that the process's
/// user namespace does not know) what root makes stays root's.
struct StoreOwner: Sendable {
    private let user: UInt32
    private let group: UInt32

    /// Nil: nobody has to be thought of.
    init?(ofFolder folder: Int32) {
        guard geteuid() == 0, let attributes = try? SystemCall.status(folder).attributes,
            attributes.owner != 0 || attributes.group != getegid()
        else { return nil }
        (user, group) = (attributes.owner, attributes.group)
    }

    /// True where an object called `name` can be made as the owner: the folder that is there on the way to it is the owner's.
    func owns(folderOf name: String, in root: Int32) -> Bool {
        var rest = name[...]
        while let slash = rest.lastIndex(of: "/") {
            rest = rest[..<slash]
            guard let status = try? SystemCall.statusIfPresent(at: root, String(rest), following: true) else { continue }
            return status.attributes.owner == user
        }
        return true
    }

    /// Runs `body` with the owner's identity for whatever it does in file systems.
    func acting<R: ~Copyable>(_ body: () throws(Errno) -> R) throws(Errno) -> R {
        asof_act_as(user, group)
        defer { asof_act_as(geteuid(), getegid()) }
        return try body()
    }
}
