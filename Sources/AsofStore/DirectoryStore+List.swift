package import AsofCore
internal import AsofSystem
internal import Glibc

extension DirectoryStore {
    package func list(prefix: String) throws(AsofError) -> [ListedObject] {
        try StoreName.checkPrefix(prefix)
        var found: [ListedObject] = []
        // Only folders that can hold such names are read; nested folders wait here, so that depth costs no stack.
        var folders = [prefix.lastIndex(of: "/").map { String(prefix[..<$0]) } ?? ""]
        while let folder = folders.popLast() {
            do throws(Errno) {
                try list(folder, prefix, &found, &folders)
            } catch {
                switch error.rawValue {
                case ENOENT, ENOTDIR: continue
                default: throw AsofError(error, "cannot list \(path)/\(folder)")
                }
            }
        }
        found.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        return found
    }

    package func firstEntry() throws(AsofError) -> String? {
        do throws(Errno) {
            let directory = try root.withRaw { (root) throws(Errno) in SharedDescriptor(try SystemCall.open(at: root, ".", O_RDONLY | O_DIRECTORY)) }
            let reader = DirectoryReader(directory)
            while let entry = try reader.next() {
                // The last is of the file system: at the root of each ext4.
                if ![Self.temporaryFolder, Self.lockName, "lost+found"].contains(entry.name.description) { return entry.name.description }
            }
            return nil
        } catch { throw AsofError(error, "cannot list \(path)") }
    }

    private func list(
        _ folder: String, _ prefix: String, _ found: inout [ListedObject], _ folders: inout [String]
    ) throws(Errno) {
        let directory = try root.withRaw { (root) throws(Errno) in
            SharedDescriptor(try SystemCall.open(at: root, folder.isEmpty ? "." : folder, O_RDONLY | O_DIRECTORY))
        }
        let reader = DirectoryReader(directory)
        while let entry = try reader.next() {
            let name = (folder.isEmpty ? "" : folder + "/") + entry.name.description
            // What no object can be called is not ours.
            guard (try? StoreName.check(name)) != nil else { continue }
            guard name.hasPrefix(prefix) || prefix.hasPrefix(name + "/") else { continue }
            let status = try directory.withRaw { (raw) throws(Errno) in
                try SystemCall.statusIfPresent(at: raw, entry.name)
            }
            // Symbolic links are none of ours and could lead in circles.
            guard let attributes = status?.attributes else { continue }
            if attributes.isDirectory {
                folders.append(name)
            } else if attributes.isRegular, name.hasPrefix(prefix) {
                found.append(ListedObject(name: name, size: attributes.size, modified: attributes.modified))
            }
        }
    }
}
