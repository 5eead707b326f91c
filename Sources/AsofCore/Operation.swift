/// One change of the directory, absolute and by inode: applying it twice, or over a fuzzy copy, gives the same state.
package enum Operation: Hashable, Sendable {
    /// The name `name` in directory `parent` now means `target`; nil: the name is gone.
    case entry(parent: InodeNumber, name: Name, target: InodeNumber?)
    /// The inode's attributes are now these. `isBorn`: it did not exist before, so nothing older can be its content. `links == 0`: gone.
    case attributes(InodeNumber, Attributes, isBorn: Bool)
    /// `length` bytes were written at `offset`. The bytes travel beside the operation, in the transaction's payload.
    case write(InodeNumber, offset: UInt64, length: Int)
    /// Everything at or beyond `size` was cut off; what grows there again reads as zero until written.
    case truncate(InodeNumber, size: UInt64)
    /// The range reads as zero (a punched hole, a zeroed range).
    case zero(InodeNumber, offset: UInt64, length: UInt64)
    /// An extended attribute; nil: removed.
    case extendedAttribute(InodeNumber, name: Name, value: [UInt8]?)
    /// A symbolic link's target.
    case symbolicLink(InodeNumber, target: [UInt8])

    /// The inode that the operation changes (for an entry: the directory).
    package var inode: InodeNumber {
        switch self {
        case .entry(let inode, _, _), .attributes(let inode, _, _), .write(let inode, _, _), .truncate(let inode, _),
            .zero(let inode, _, _), .extendedAttribute(let inode, _, _), .symbolicLink(let inode, _):
            inode
        }
    }

    /// Bytes of payload that belong to the operation.
    package var payloadLength: Int { if case .write(_, _, let length) = self { length } else { 0 } }
}

/// What a client asked for, kept beside the operations it became so that `asof log` can say it in the client's words.
package enum Verb: UInt8, Hashable, Sendable, CaseIterable {
    case create = 1
    case mkdir, mknod, symlink, link, unlink, rmdir, rename, exchange
    case write, truncate, fallocate, punch, copy
    case chmod, chown, utimens, setattr, setxattr, removexattr
    /// Not a client's: a first scan, a catch-up or a repair after a crash.
    case reconcile
    /// Not a client's: everything that changed between two stops of a server that is followed.
    case tick
    /// The same, but some of its files may be torn.
    case fuzzyTick

    /// A single call of a client, that says of a new name that it was free.
    package var isCall: Bool { rawValue < Verb.reconcile.rawValue }
    /// The state after it may be none that ever was.
    package var isFuzzy: Bool { self == .fuzzyTick }
}

/// The smallest step from one recoverable state to the next.
package struct Transaction: Hashable, Sendable {
    package var lsn: LSN
    package var time: Instant
    package var verb: Verb
    package var operations: [Operation]

    package init(lsn: LSN, time: Instant, verb: Verb, operations: [Operation]) {
        self.lsn = lsn
        self.time = time
        self.verb = verb
        self.operations = operations
    }

    package var payloadLength: Int { operations.reduce(0) { $0 + $1.payloadLength } }
}
