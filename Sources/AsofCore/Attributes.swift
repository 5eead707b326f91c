/// What an operation can be about: the file types of `st_mode`.
package enum FileKind: Sendable, Hashable {
    case regular, directory, symbolicLink, fifo, socket, characterDevice, blockDevice

    /// Nil for a mode whose type bits name no known file type.
    package init?(mode: UInt32) {
        switch mode & 0o170000 {
        case 0o100000: self = .regular
        case 0o040000: self = .directory
        case 0o120000: self = .symbolicLink
        case 0o010000: self = .fifo
        case 0o140000: self = .socket
        case 0o020000: self = .characterDevice
        case 0o060000: self = .blockDevice
        default: return nil
        }
    }

    package var modeBits: UInt32 {
        switch self {
        case .regular: 0o100000
        case .directory: 0o040000
        case .symbolicLink: 0o120000
        case .fifo: 0o010000
        case .socket: 0o140000
        case .characterDevice: 0o020000
        case .blockDevice: 0o060000
        }
    }
}

/// What `stat` says of an inode, as it is logged: absolute values, never differences.
package struct Attributes: Hashable, Sendable {
    /// Type and permission bits, as `st_mode`.
    package var mode: UInt32
    /// Zero: the inode is gone.
    package var links: UInt32
    package var owner: UInt32
    package var group: UInt32
    /// Bytes.
    package var size: UInt64
    /// `st_rdev`; zero for everything but devices.
    package var device: UInt64
    /// `st_mtim`.
    package var modified: Instant
    /// `st_ctim` of the captured file: evidence of identity when a directory is compared with the log.
    package var changed: Instant

    package init(
        mode: UInt32, links: UInt32, owner: UInt32 = 0, group: UInt32 = 0, size: UInt64 = 0, device: UInt64 = 0,
        modified: Instant, changed: Instant
    ) {
        self.mode = mode
        self.links = links
        self.owner = owner
        self.group = group
        self.size = size
        self.device = device
        self.modified = modified
        self.changed = changed
    }

    package var kind: FileKind? { FileKind(mode: mode) }
    package var isDirectory: Bool { mode & 0o170000 == 0o040000 }
    package var isRegular: Bool { mode & 0o170000 == 0o100000 }
}
