internal import AsofCore
internal import AsofFuse
internal import AsofSystem
internal import Glibc

enum StackedMount {
    /// Two mounts on one place hide each other, and the lower one cannot be taken away alone.
    static func refuse(_ mountPoint: String) throws(AsofError) {
        guard let path = try? SystemCall.realPath(mountPoint), MountTable.isOurs(path) else { return }
        throw AsofError(.failure, "something of asof is mounted at \(path) already", hint: "`asof umount \(path)` takes it away")
    }

    /// Runs `mount`, which mounts something there, while nobody else does, and where nobody has.
    static func excluding<Value>(at mountPoint: String, _ mount: () throws(AsofError) -> Value) throws(AsofError) -> Value {
        // The folder below: all who come at the same time have it in common. Where it cannot be opened, mounting says why.
        guard let folder = try? SystemCall.open(mountPoint, O_RDONLY | O_DIRECTORY) else { return try mount() }
        try? SystemCall.lock(folder.raw)
        try refuse(mountPoint)
        let mounted = try mount()
        withExtendedLifetime(folder) {}
        return mounted
    }
}
