package import AsofCore
internal import AsofRepository
package import AsofView
internal import AsofSystem
internal import Glibc

/// The view below an overlay, in a client's terms. Never changes: what it says may be asked for before any lock is taken.
package final class OverlayBase: Sendable {
    package let view: View
    private let owner: (user: UInt32, group: UInt32)?
    private let report: @Sendable (AsofError) -> Void

    /// `owner`: everything belongs to this user and group; nil: as it was captured.
    package init(_ view: View, owner: (user: UInt32, group: UInt32)?, report: @escaping @Sendable (AsofError) -> Void) {
        self.view = view
        self.owner = owner
        self.report = report
    }

    /// What cannot be read is EIO for the client and a message for the operator.
    private func reading<Value>(_ body: () throws(AsofError) -> Value) throws(Errno) -> Value {
        do throws(AsofError) { return try body() } catch {
            report(error)
            throw Errno(EIO)
        }
    }

    /// As captured.
    func attributes(of inode: InodeNumber) throws(Errno) -> Attributes? {
        try reading { () throws(AsofError) in try view.attributes(of: inode) }
    }

    /// As a client sees them: what still belongs to whom it was captured of belongs to whom the mount says. The overlay keeps what was captured,
    /// for it may be mounted in another way, and be promoted.
    func shown(_ attributes: Attributes, of inode: InodeNumber) throws(Errno) -> Attributes {
        guard let owner, inode < OverlayTree.firstNumber, let captured = try self.attributes(of: inode) else { return attributes }
        var shown = attributes
        if shown.owner == captured.owner { shown.owner = owner.user }
        if shown.group == captured.group { shown.group = owner.group }
        return shown
    }

    func entry(_ name: Name, in parent: InodeNumber) throws(Errno) -> InodeNumber? {
        try reading { () throws(AsofError) in try view.entry(name, in: parent) }
    }

    func entries(of directory: InodeNumber) throws(Errno) -> [(name: Name, inode: InodeNumber)] {
        try reading { () throws(AsofError) in try view.entries(of: directory) }
    }

    func extendedAttributes(of inode: InodeNumber) throws(Errno) -> [Name: [UInt8]] {
        try reading { () throws(AsofError) in try view.extendedAttributes(of: inode) }
    }

    func symbolicLink(_ inode: InodeNumber) throws(Errno) -> [UInt8]? {
        try reading { () throws(AsofError) in try view.symbolicLink(inode) }
    }

    /// Fills `buffer`; what lies behind the end of the view's file is zero.
    func read(_ inode: InodeNumber, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) {
        let count = try reading { () throws(AsofError) in
            try view.read(inode, size: try view.attributes(of: inode)?.size ?? 0, offset: offset, into: buffer)
        }
        if count < buffer.count { UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).initializeMemory(as: UInt8.self, repeating: 0) }
    }

    /// What says which moment this is.
    var facts: [Name: [UInt8]] {
        get throws(Errno) {
            let isExact = try reading { () throws(AsofError) in try view.isExact() }
            let facts = ["time": view.cut.time.description, "lsn": view.cut.lsn.description, "timeline": view.timeline, "exact": "\(isExact)", "overlay": "true"]
            var found: [Name: [UInt8]] = [:]
            for (key, value) in facts { if let name = Name("user.asof.\(key)") { found[name] = Array(value.utf8) } }
            return found
        }
    }
}
