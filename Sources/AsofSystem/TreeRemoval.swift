package import AsofCore
internal import Glibc

/// Removes trees below a directory, however deep they are, with few descriptors: what is found in a folder that is not empty is first brought
/// up. Never follows a symbolic link. Again after a crash: removes the rest.
package final class TreeRemoval {
    /// What it removed.
    package private(set) var files: UInt64 = 0
    /// Bytes that this freed, of files without another name.
    package private(set) var bytes: UInt64 = 0
    private let directory: Int32
    private var number = 0

    /// `directory` is open while this is used.
    package init(at directory: Int32) { self.directory = directory }

    /// Nothing of that name is no failure.
    package func remove(_ name: some PathBytes) throws(Errno) {
        guard let status = try SystemCall.statusIfPresent(at: directory, name) else { return }
        guard status.attributes.isDirectory else { return try SystemCall.unlink(at: directory, name) }
        let top = SharedDescriptor(try open(name, at: directory))
        while true {
            // Each round empties the top but for folders that were brought up from below.
            let names = try names(in: top)
            if names.isEmpty { break }
            for child in names { try remove(child, in: top) }
        }
        try SystemCall.removeDirectory(at: directory, name)
    }

    private func remove(_ name: Name, in top: SharedDescriptor) throws(Errno) {
        guard let status = try SystemCall.statusIfPresent(at: top.unmanaged, name) else { return }
        guard status.attributes.isDirectory else { return try unlink(name, in: top.unmanaged, status) }
        let folder = SharedDescriptor(try open(name, at: top.unmanaged))
        for child in try names(in: folder) {
            guard let status = try SystemCall.statusIfPresent(at: folder.unmanaged, child) else { continue }
            if status.attributes.isDirectory {
                if (try? SystemCall.removeDirectory(at: folder.unmanaged, child)) == nil {
                    _ = try open(child, at: folder.unmanaged)
                    try SystemCall.rename(at: folder.unmanaged, child, to: top.unmanaged, try freeName(in: top))
                }
            } else {
                try unlink(child, in: folder.unmanaged, status)
            }
        }
        try SystemCall.removeDirectory(at: top.unmanaged, name)
    }

    private func unlink(_ name: Name, in folder: Int32, _ status: FileStatus) throws(Errno) {
        try SystemCall.unlink(at: folder, name)
        files += 1
        if status.attributes.links == 1 { bytes += status.blocks * 512 }
    }

    private func freeName(in top: SharedDescriptor) throws(Errno) -> String {
        while true {
            number += 1
            let name = ".asof-remove-\(number)"
            if try SystemCall.statusIfPresent(at: top.unmanaged, name) == nil { return name }
        }
    }

    private func open(_ name: some PathBytes, at folder: Int32) throws(Errno) -> OwnedDescriptor {
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
        // A user who is not root enters a folder of his own only with its permission; moving it needs that of writing, too.
        if geteuid() != 0 {
            let path = try SystemCall.open(at: folder, name, SystemCall.O_PATH | O_DIRECTORY | O_NOFOLLOW)
            try? SystemCall.changeMode(path.raw, 0o700)
        }
        return try SystemCall.open(at: folder, name, flags)
    }

    private func names(in folder: SharedDescriptor) throws(Errno) -> [Name] {
        let reader = DirectoryReader(SharedDescriptor(try SystemCall.open(at: folder.unmanaged, ".", O_RDONLY | O_DIRECTORY)))
        var names: [Name] = []
        while let entry = try reader.next() { names.append(entry.name) }
        return names
    }
}
